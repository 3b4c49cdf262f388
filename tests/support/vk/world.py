"""What there is at the fake of VK: people, communities, tokens, videos, albums."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

VIDEO_RIGHT, GROUPS_RIGHT = 16, 262144


@dataclass
class Person:
    id: int
    first_name: str
    last_name: str
    groups: set[int] = field(default_factory=set)
    """Communities that this person edits."""


@dataclass
class Group:
    id: int
    name: str


@dataclass
class Token:
    """`kind` is user, vk_id (without the extended right), community or service.

    A user's token that is `elsewhere` was given to another network address.
    """

    value: str = field(repr=False)
    user_id: int
    rights: int
    kind: str = "user"
    ended: bool = False
    elsewhere: bool = False


@dataclass
class Content:
    """A whole file that arrived; VK works on it until `ready_at`."""

    sha256: str
    size: int
    seconds: int
    arrived_at: datetime
    ready_at: datetime
    listed_at: datetime
    refused: str | None = None


@dataclass
class Video:
    id: int
    owner_id: int
    saved_at: datetime
    title: str
    description: str
    settings: dict[str, Any]
    access_key: str = field(repr=False)
    content: Content | None = None
    thumb: str | None = None
    """SHA-256 of its picture."""
    posted: int = 0
    """How often it was put on the wall."""
    deleted_at: datetime | None = None

    @property
    def name(self) -> str:
        return f"{self.owner_id}_{self.id}"


@dataclass
class Album:
    id: int
    owner_id: int
    title: str
    videos: list[str] = field(default_factory=list)


@dataclass
class World:
    people: dict[int, Person] = field(default_factory=dict)
    groups: dict[int, Group] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    videos: dict[str, Video] = field(default_factory=dict)
    albums: dict[tuple[int, int], Album] = field(default_factory=dict)
    _next_id: int = 456239016

    def next_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def add_person(self, first_name: str = "Ada", last_name: str = "Lovelace") -> Person:
        person = Person(743784474 + len(self.people), first_name, last_name)
        self.people[person.id] = person
        return person

    def add_group(self, *editors: Person, name: str = "Lectures") -> Group:
        group = Group(200100 + len(self.groups), name)
        self.groups[group.id] = group
        for person in editors:
            person.groups.add(group.id)
        return group

    def add_album(self, owner_id: int, title: str = "Graphs") -> Album:
        album = Album(len(self.albums) + 1, owner_id, title)
        self.albums[owner_id, album.id] = album
        return album

    def grant(
        self, person: Person, *, kind: str = "user", rights: int = VIDEO_RIGHT | GROUPS_RIGHT
    ) -> Token:
        token = Token(f"vk1.a.{secrets.token_urlsafe(48)}", person.id, rights, kind)
        self.tokens[token.value] = token
        return token

    def whole(self) -> list[Video]:
        """The videos that are there with a file: what a viewer may see."""
        return [
            video
            for video in self.videos.values()
            if video.content is not None and video.deleted_at is None
        ]

    def drafts(self) -> list[Video]:
        """Announced, and no file has come."""
        return [
            video
            for video in self.videos.values()
            if video.content is None and video.deleted_at is None
        ]
