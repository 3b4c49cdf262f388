"""The common keys of a template's and a preset's documents as fields of a form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dashboard.fields import Field, Kind
from dashboard.texts import t
from leap_pipeline.domain.states import Platform

Names = Mapping[int, str]


def rules(sources: Names) -> list[Field]:
    """`matching_rules`; `sources` are those that can be named."""
    nothing = t("None")
    return [
        Field(
            "keywords",
            t("Words in the name"),
            Kind.LINES,
            hint=t("One a line: a recording fits when one of them is a part of its name."),
            empty=nothing,
        ),
        Field(
            "exact_matches",
            t("Whole names"),
            Kind.LINES,
            hint=t("One a line: a recording fits when it is called just that."),
            empty=nothing,
        ),
        Field(
            "patterns",
            t("Patterns"),
            Kind.LINES,
            hint=t("One a line: regular expressions as RE2 knows them, found in the name."),
            empty=nothing,
        ),
        Field(
            "match_mode",
            t("What has to fit"),
            Kind.CHOICE,
            {"any": t("Any of these three"), "all": t("Each of these that is filled in")},
            empty=t("Any of these three"),
        ),
        Field("case_sensitive", t("Capital letters matter"), Kind.FLAG, empty=t("Off")),
        Field("exclude_keywords", t("But not with these words"), Kind.LINES, empty=nothing),
        Field("exclude_patterns", t("But not with these patterns"), Kind.LINES, empty=nothing),
        Field(
            "source_ids", t("Only from these sources"), Kind.SEVERAL, sources, empty=t("Any source")
        ),
    ]


def processing() -> list[Field]:
    """`processing_config`."""
    return [
        Field("video.remove_silence", t("Cut silence out"), Kind.FLAG),
        Field(
            "video.silence_mode",
            t("Where"),
            Kind.CHOICE,
            {"all": t("Everywhere"), "edges": t("Only before the start and after the end")},
        ),
        Field(
            "video.silence_threshold",
            t("Silence is below (dB)"),
            Kind.NUMBER,
            least=-120,
            most=0,
        ),
        Field(
            "video.min_silence_duration",
            t("Shortest silence to cut (seconds)"),
            Kind.NUMBER,
            least=0,
            most=3600,
            step=0.5,
        ),
        Field(
            "video.padding",
            t("Kept around speech (seconds)"),
            Kind.NUMBER,
            least=0,
            most=60,
            step=0.1,
        ),
        Field("transcription.enable_transcription", t("Transcribe"), Kind.FLAG),
        Field(
            "transcription.provider",
            t("Transcribed by"),
            Kind.CHOICE,
            {"local": t("Whisper, here"), "fireworks": "Fireworks"},
            empty=t("What can be had"),
        ),
        Field("transcription.enable_topics", t("Find topics"), Kind.FLAG),
        Field(
            "transcription.topics_granularity",
            t("Topics"),
            Kind.CHOICE,
            {"long": t("Few and long"), "short": t("Many and short")},
        ),
        Field(
            "transcription.topics_provider",
            t("Topics found by"),
            Kind.CHOICE,
            {"local": t("LEAP, here"), "deepseek": "DeepSeek"},
            empty=t("What can be had"),
        ),
        Field("transcription.enable_subtitles", t("Make subtitles"), Kind.FLAG),
        Field(
            "transcription.language",
            t("Language"),
            Kind.LINE,
            hint=t("Its code, such as ru or en; empty: it is heard."),
            empty=t("As it is heard"),
        ),
        Field("transcription.prompt", t("Hint for the transcription"), Kind.TEXT),
        Field(
            "transcription.vocabulary",
            t("Words to know"),
            Kind.LINES,
            hint=t("One a line: names and terms of the subject."),
        ),
    ]


def texts(pictures: Sequence[str], at: str = "") -> list[Field]:
    """What every platform shows; `at` begins the paths of a platform's own block."""
    return [
        Field(
            f"{at}title_template",
            t("Title"),
            Kind.LINE,
            hint=t(
                "With {display_name}, {record_time}, {publish_time}, {duration}, {themes}, "
                "{topics}, {summary}; times take a format: {record_time:DD.MM.YYYY}."
            ),
        ),
        Field(f"{at}description_template", t("Description"), Kind.TEXT),
        Field(f"{at}tags", t("Tags"), Kind.LINES),
        Field(
            f"{at}thumbnail_name",
            t("Thumbnail"),
            Kind.CHOICE,
            {name: name for name in pictures},
        ),
        Field(f"{at}upload_captions", t("Send captions along"), Kind.FLAG),
    ]


def topics() -> list[Field]:
    """`topics_display`: how `{topics}` is written."""
    return [
        Field(
            "topics_display.format",
            t("List of topics"),
            Kind.CHOICE,
            {
                "numbered_list": t("Numbered"),
                "bullet_list": t("With dots"),
                "dash_list": t("With dashes"),
                "comma_separated": t("In one line, with commas"),
                "inline": t("In one line, with points"),
            },
        ),
        Field("topics_display.show_timestamps", t("With times"), Kind.FLAG),
        Field("topics_display.max_count", t("Topics at most"), Kind.WHOLE, least=1, most=999),
        Field("topics_display.max_length", t("Characters of a topic at most"), Kind.WHOLE, least=1),
        Field(
            "topics_display.min_length", t("Characters of a topic at least"), Kind.WHOLE, least=0
        ),
        Field("topics_display.separator", t("Between two topics"), Kind.LINE),
        Field("topics_display.prefix", t("Before the list"), Kind.LINE),
    ]


def of_platform(platform: Platform, at: str = "") -> list[Field]:
    """What one platform alone knows."""
    return _youtube(at) if platform is Platform.YOUTUBE else _vk(at)


def _youtube(at: str) -> list[Field]:
    return [
        Field(
            f"{at}privacy",
            t("Who may see it"),
            Kind.CHOICE,
            {
                "private": t("Nobody else"),
                "unlisted": t("Who has the link"),
                "public": t("Everybody"),
            },
        ),
        Field(f"{at}category_id", t("Category"), Kind.CHOICE, _categories()),
        Field(f"{at}made_for_kids", t("Made for children"), Kind.FLAG),
        Field(f"{at}embeddable", t("May be shown on other sites"), Kind.FLAG),
        Field(
            f"{at}playlist_id",
            t("Playlist"),
            Kind.LINE,
            hint=t("Its id: what stands behind list= in its address."),
        ),
        Field(
            f"{at}default_language",
            t("Language of title and description"),
            Kind.LINE,
            hint=t("Its code, such as ru or en."),
        ),
    ]


def _vk(at: str) -> list[Field]:
    audience = {0: t("Everybody"), 1: t("Friends"), 2: t("Nobody else")}
    return [
        Field(f"{at}privacy_view", t("Who may see it"), Kind.CHOICE, audience),
        Field(f"{at}privacy_comment", t("Who may comment"), Kind.CHOICE, audience),
        Field(f"{at}disable_comments", t("No comments"), Kind.FLAG),
        Field(f"{at}wallpost", t("Post it on the wall"), Kind.FLAG),
        Field(f"{at}repeat", t("Play it again and again"), Kind.FLAG),
        Field(
            f"{at}group_id",
            t("Community"),
            Kind.WHOLE,
            hint=t("Its number; empty: the account's own page."),
            least=1,
        ),
        Field(f"{at}album_id", t("Album"), Kind.LINE, hint=t("Its number.")),
    ]


def _categories() -> dict[str, str]:
    """https://developers.google.com/youtube/v3/docs/videoCategories/list, those for lectures."""
    return {
        "27": t("Education"),
        "28": t("Science and technology"),
        "22": t("People and blogs"),
        "24": t("Entertainment"),
        "25": t("News and politics"),
        "26": t("How-to and style"),
        "29": t("Nonprofits and activism"),
        "1": t("Film and animation"),
        "10": t("Music"),
        "17": t("Sports"),
        "19": t("Travel and events"),
        "20": t("Gaming"),
    }


def output(presets: Mapping[Platform, Names]) -> list[Field]:
    """`output_config`, its presets as one value a platform: `preset_ids.YOUTUBE`."""
    found = [
        Field(
            f"presets.{platform}",
            t("Publish on {platform} by", platform=name),
            Kind.CHOICE,
            presets.get(platform, {}),
            empty=t("As by default, or not at all"),
        )
        for platform, name in ((Platform.YOUTUBE, "YouTube"), (Platform.VK, "VK"))
    ]
    return [*found, Field("auto_upload", t("Publish without asking"), Kind.FLAG)]
