"""One dynamic partition a recording, named `{user_slug:06d}-{recording_id}`."""

import dagster as dg

RECORDINGS = "recordings"
recordings = dg.DynamicPartitionsDefinition(name=RECORDINGS)
