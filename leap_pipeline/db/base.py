"""The declarative base and the column shapes that every table shares."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from sqlalchemy import BigInteger, DateTime, MetaData, Numeric, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

# The names that PostgreSQL itself gives to constraints declared without one, so that a table
# made from a model and a table made by a migration's SQL are the same table.
NAMING = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
}

# Python's None is SQL's NULL, never the JSON literal null.
_JSON = JSONB(none_as_null=True)


class Base(DeclarativeBase):
    """Base of all models."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        Decimal: Numeric(10, 2),
        dict[str, Any]: _JSON,
        list[Any]: _JSON,
    }


SerialId = Annotated[int, mapped_column(primary_key=True)]
BigSerialId = Annotated[int, mapped_column(BigInteger, primary_key=True)]

TrueByDefault = Annotated[bool, mapped_column(server_default=text("true"))]
FalseByDefault = Annotated[bool, mapped_column(server_default=text("false"))]
ZeroByDefault = Annotated[int, mapped_column(server_default=text("0"))]
EmptyObject = Annotated[dict[str, Any], mapped_column(_JSON, server_default=text("'{}'"))]
EmptyArray = Annotated[list[Any], mapped_column(_JSON, server_default=text("'[]'"))]

CreatedAt = Annotated[datetime, mapped_column(server_default=func.now())]
# `onupdate` is part of every UPDATE that SQLAlchemy writes, bulk ones included.
UpdatedAt = Annotated[datetime, mapped_column(server_default=func.now(), onupdate=func.now())]
