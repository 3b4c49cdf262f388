"""Topics from words alone: the sample, lectures put together from subjects, and the edges."""

from __future__ import annotations

import random
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leap_pipeline.speech.transcript import Transcript, read_transcript
from leap_pipeline.topics.local import BREAK_SECONDS, extract_topics
from leap_pipeline.topics.provider import TopicExtractor
from leap_pipeline.topics.shapes import Topics
from leap_pipeline.topics.stopwords import stopwords
from tests.support.talks import Spoken, lecture, sample_lecture, talk

REAL = Path(__file__).resolve().parents[2] / "data" / "lecture.master.json"

# Subjects of made-up lectures: words that are theirs, and words that all of them use.
SUBJECTS = {
    "en": {
        "heart": "heart blood vessel valve pulse artery chamber oxygen muscle rhythm",
        "volcano": "volcano lava magma crater eruption ash mountain plate rock gas",
        "sonnet": "sonnet rhyme verse poet stanza metre line couplet syllable image",
        "market": "market price demand supply buyer seller profit trade cost tax",
        "rocket": "rocket orbit engine fuel thrust satellite stage launch gravity nozzle",
        "bread": "bread dough flour yeast oven crust water salt baker loaf",
    },
    "ru": {
        "сердце": "сердце кровь сосуд клапан пульс артерия камера кислород мышца ритм",
        "вулкан": "вулкан лава магма кратер извержение пепел гора плита порода газ",
        "сонет": "сонет рифма стих поэт строфа размер строка слог образ метафора",
        "рынок": "рынок цена спрос предложение покупатель продавец прибыль торговля налог товар",
    },
}
COMMON = {
    "en": "we see that the a of and with in what makes question answer people large small",
    "ru": "мы видим что и в на это как вопрос ответ люди большой маленький его они с",
}


def sentences_about(subject: str, count: int, chance: random.Random, language: str) -> list[str]:
    own, common = SUBJECTS[language][subject].split(), COMMON[language].split()
    return [
        " ".join(
            chance.choice(own if chance.random() < 0.4 else common) for _ in range(11)
        ).capitalize()
        + "."
        for _ in range(count)
    ]


def lecture_about(
    subjects: list[str], count: int, *, seed: int = 1, language: str = "en"
) -> tuple[Transcript, list[float]]:
    """A lecture of `count` sentences a subject, and when each subject begins."""
    chance = random.Random(seed)
    spoken = [each for name in subjects for each in sentences_about(name, count, chance, language)]
    transcript = lecture(spoken, language=language)
    return transcript, [transcript.segments[at].start for at in range(0, len(spoken), count)]


def holds_together(transcript: Transcript, found: Topics) -> None:
    """What is true of the topics of every transcript."""
    words = list(transcript.words())
    spans = found.topic_timestamps
    starts, ends = {word.start for word in words}, {word.end for word in words}
    assert bool(spans) == bool(words)
    if spans:
        assert spans[0].start == words[0].start
        assert spans[-1].end == words[-1].end
        assert all(each.start in starts for each in spans)
        assert all(each.end in starts | ends for each in spans)
    broken_off = {pause.start for pause in found.pauses}
    for before, after in pairwise(spans):
        assert before.end == after.start or before.end in broken_off


@pytest.mark.parametrize("trimmed", [True, False])
def test_the_sample_has_two_topics_that_part_in_the_middle_silence(trimmed: bool) -> None:
    transcript = sample_lecture(trimmed=trimmed)
    found = extract_topics(transcript)
    first, second = found.topic_timestamps
    begins = next(s.start for s in transcript.segments if s.text.startswith("Our second"))
    assert (first.start, first.end) == (transcript.segments[0].start, begins)
    assert (second.start, second.end) == (begins, transcript.segments[-1].end)
    assert first.topic == "Green plants"
    assert second.topic == "Binary search"
    assert found.main_topics == ["Binary search"]


def test_the_sample_as_the_model_hears_it_has_the_same_two_topics() -> None:
    transcript = read_transcript(REAL)
    words = list(transcript.words())
    second = next(b for a, b in pairwise(words) if a.word.strip().startswith("breathe"))
    found = extract_topics(transcript)
    assert [each.topic for each in found.topic_timestamps] == ["Green plants", "Binary search"]
    assert found.topic_timestamps[1].start == second.start


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("language", "subjects"),
    [("en", list(SUBJECTS["en"])), ("ru", list(SUBJECTS["ru"])), ("de", list(SUBJECTS["en"]))],
)
def test_subjects_are_told_apart(language: str, subjects: list[str], seed: int) -> None:
    transcript, begins = lecture_about(
        subjects, 50, seed=seed, language="ru" if language == "ru" else "en"
    )
    transcript = transcript.model_copy(update={"language": language})
    found = extract_topics(transcript)
    holds_together(transcript, found)
    starts = [each.start for each in found.topic_timestamps]
    assert len(starts) <= len(begins) + 1
    assert all(min(abs(begin - start) for start in starts) < 15 for begin in begins)


def test_titles_name_their_subject_and_differ() -> None:
    subjects = list(SUBJECTS["en"])
    transcript, begins = lecture_about(subjects, 50)
    found = extract_topics(transcript)
    titles = [each.topic for each in found.topic_timestamps]
    assert len({title.lower() for title in titles}) == len(titles)
    for begin, subject in zip(begins, subjects, strict=True):
        own = set(SUBJECTS["en"][subject].split())
        title = min(found.topic_timestamps, key=lambda each: abs(each.start - begin)).topic
        assert own & set(title.lower().split())
        assert 2 <= len(title.split()) <= 5
        assert title[0].isupper()
        edges = {title.lower().split()[0], title.lower().split()[-1]}
        assert not edges & stopwords("en")


def test_short_topics_are_more_than_long_ones() -> None:
    transcript = sample_lecture(trimmed=True)
    few = extract_topics(transcript, granularity="long").topic_timestamps
    many = extract_topics(transcript, granularity="short").topic_timestamps
    assert len(many) == 2 * len(few)


def test_a_long_lecture_on_one_thing_still_gets_chapters() -> None:
    transcript = lecture(sentences_about("bread", 1500, random.Random(7), "en"))
    assert transcript.duration > 5400
    assert 3 <= len(extract_topics(transcript).topic_timestamps) <= 12


def test_a_pause_decides_where_words_do_not() -> None:
    chance = random.Random(5)
    spoken = sentences_about("bread", 40, chance, "en")
    starts = {
        pause: [
            each.start
            for each in extract_topics(lecture(spoken, pauses={pause: 4.0})).topic_timestamps
        ]
        for pause in (18, 20, 22)
    }
    for pause, found in starts.items():
        assert lecture(spoken, pauses={pause: 4.0}).segments[pause].start in found


def test_breaks_of_eight_minutes_are_listed_and_part_topics() -> None:
    chance = random.Random(2)
    spoken = sentences_about("heart", 60, chance, "en")
    transcript = lecture(spoken, pauses={10: BREAK_SECONDS - 0.01, 30: BREAK_SECONDS, 45: 700.0})
    found = extract_topics(transcript)
    holds_together(transcript, found)
    assert [(pause.start, pause.end) for pause in found.pauses] == [
        (transcript.segments[at - 1].end, transcript.segments[at].start) for at in (30, 45)
    ]
    for pause in found.pauses:
        assert pause.start in {each.end for each in found.topic_timestamps}
        assert pause.end in {each.start for each in found.topic_timestamps}


def test_names_and_abbreviations_keep_their_letters() -> None:
    spoken = [
        "The Fourier transform turns a signal into its spectrum.",
        "DNA sequencing is no part of the Fourier transform.",
        "With the Fourier transform we filter noise.",
    ]
    found = extract_topics(lecture(spoken))
    assert found.main_topics == ["Fourier transform"]
    assert found.topic_timestamps[0].topic == "Fourier transform"


@pytest.mark.parametrize("language", ["en", "ru", "de", "ja", "xx"])
def test_any_language_gives_topics(language: str) -> None:
    transcript = lecture(["Ein Satz über Bäume.", "Bäume haben Wurzeln."], language=language)
    assert extract_topics(transcript).topic_timestamps


def test_an_empty_transcript_has_no_topics() -> None:
    found = extract_topics(Transcript(language="en", duration=600.0))
    assert (found.main_topics, found.topic_timestamps, found.pauses) == ([], [], [])


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("So and then we have it.", "So and then we have"),
        ("Photosynthesis", "Photosynthesis"),
        ("...", "…"),
        ("42", "42"),
    ],
)
def test_a_few_words_are_one_topic(text: str, title: str) -> None:
    found = extract_topics(talk([(word, 0.4, 0.0) for word in text.split()]))
    assert [each.topic for each in found.topic_timestamps] == [title]
    assert found.main_topics == []


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("the Tree, tree. trees list sorted? и список 42 — AI don't".split()),
            st.floats(0.01, 3.0),
            st.sampled_from([0.0, 0.0, 0.0, 2.0, 479.0, 481.0]),
        ),
        min_size=1,
        max_size=80,
    ),
    st.sampled_from(["en", "ru", "fr", "zh"]),
)
def test_any_words_give_times_of_theirs(spoken: list[Spoken], language: str) -> None:
    transcript = talk(spoken, language=language, tail=1.0)
    found = extract_topics(transcript)
    holds_together(transcript, found)
    assert found == extract_topics(transcript)
    assert all(len(each.split()) in range(2, 5) for each in found.main_topics if language != "zh")


def test_four_hours_take_a_few_seconds() -> None:
    chance = random.Random(3)
    own = [f"{first}{last}on" for first in "bdfgklmnprst" for last in "aeiou" for _ in range(2)]
    words = [chance.choice(own) + chance.choice(["", "ing", "al", "ed", "er"]) for _ in range(3000)]
    spoken = [" ".join(chance.choices(words, k=6)) + "." for _ in range(7000)]
    begun = time.monotonic()
    found = extract_topics(lecture(spoken))
    assert time.monotonic() - begun < 20
    assert 3 <= len(found.topic_timestamps) <= 30


def test_it_is_a_provider() -> None:
    provider: TopicExtractor = extract_topics
    assert provider(sample_lecture(trimmed=True), granularity="short").model == "local"
