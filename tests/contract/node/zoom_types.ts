// Zoom's own types of what LEAP reads, under short names.
import type {
  CloudRecordingGetMeetingRecordingsResponse,
  CloudRecordingListAllRecordingsResponse,
  RecordingCompletedEvent,
  RecordingRenamedEvent,
} from "@zoom/rivet/meetings";

export type Listing = CloudRecordingListAllRecordingsResponse;
export type Details = CloudRecordingGetMeetingRecordingsResponse;
export type Completed = RecordingCompletedEvent;
export type Renamed = RecordingRenamedEvent;
