// Documents against JSON Schemas of Zoom's own types, which @zoom/rivet declares.
//
//   node check_zoom.mjs documents.json
//
// The file holds [{type, document}]; printed is the list of what is wrong with each, in their order.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import Ajv from "ajv";
import { createGenerator } from "ts-json-schema-generator";

const here = dirname(fileURLToPath(import.meta.url));
const generator = createGenerator({
  path: join(here, "zoom_types.ts"),
  tsconfig: join(here, "tsconfig.json"),
  skipTypeCheck: true,
  additionalProperties: false,
});
const ajv = new Ajv({ allErrors: true, strict: false });
const checks = new Map();

function checkOf(type) {
  if (!checks.has(type)) checks.set(type, ajv.compile(generator.createSchema(type)));
  return checks.get(type);
}

const wrong = JSON.parse(readFileSync(process.argv[2], "utf-8")).map(({ type, document }) => {
  const check = checkOf(type);
  return check(document) ? [] : check.errors.map(({ instancePath, message, params }) => ({
    path: instancePath, message, params,
  }));
});
console.log(JSON.stringify(wrong));
