// Prints what the strict parser of the W3C's editors makes of a WebVTT file: its errors and cues.
"use strict";

const fs = require("node:fs");
const { WebVTTParser } = require("webvtt-parser");
const entities = require("webvtt-parser/html-entities.json");

function textOf(node) {
  return node.type === "text" ? node.value : (node.children || []).map(textOf).join("");
}

const found = new WebVTTParser(entities).parse(fs.readFileSync(process.argv[2], "utf8"));
const cues = found.cues.map((cue) => ({
  start: cue.startTime,
  end: cue.endTime,
  text: textOf(cue.tree),
}));
process.stdout.write(JSON.stringify({ errors: found.errors, cues }));
