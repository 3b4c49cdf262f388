// The player: video, chapters and transcript, each on the timeline of the video that is shown.
const main = document.querySelector("main");
const video = document.querySelector("video");
const asked = new URLSearchParams(location.search);
const FOLLOW_AGAIN = 6000; // milliseconds after a person has scrolled
const GO_ON = 10000; // milliseconds in which a frame that was loaded anew goes on where it was

const chapters = document.getElementById("chapters");
const lines = document.getElementById("lines");
const scrolled = document.querySelector(".lines");
const search = document.querySelector(".search input");
const count = document.querySelector(".search .hint");
const captioning = document.getElementById("captions");
let data, shown, hits = [], hit = -1, letAlone = 0;

try {
  const answer = await fetch(`/recordings/${main.dataset.recording}/player.json`);
  if (!answer.ok) throw new Error(answer.statusText);
  data = await answer.json();
} catch {
  document.getElementById("unread").hidden = false;
}
if (data) begin();

function begin() {
  document.querySelector(".kinds").hidden = data.videos.length < 2;
  document.querySelector(".transcript").hidden = !data.lines.length;
  document.getElementById("silent").hidden = data.lines.length > 0;
  video.setAttribute("aria-label", data.name);
  fill(lines, data.lines, (text) => text);
  const left = watched();
  const kind = asked.get("kind") ?? left?.kind;
  const wanted = data.videos.find((each) => each.kind === kind) ?? data.videos[0];
  show(wanted, Number(asked.get("t") ?? left?.at) || 0, left?.playing ?? false);
  for (const button of document.querySelectorAll("[data-kind]")) {
    button.addEventListener("click", () => change(button.dataset.kind));
  }
  video.addEventListener("timeupdate", follow);
  video.addEventListener("seeking", follow);
  video.addEventListener("error", () => { document.getElementById("broken").hidden = false; });
}

// The page loads its frame anew when there is more to play: who watches goes on where they were.
function watched() {
  const name = `watched-${main.dataset.recording}`;
  addEventListener("pagehide", () => {
    if (!video.currentTime) return;
    const left = { kind: shown.kind, at: video.currentTime, playing: !video.paused, when: Date.now() };
    sessionStorage.setItem(name, JSON.stringify(left));
  });
  const left = JSON.parse(sessionStorage.getItem(name));
  sessionStorage.removeItem(name);
  return left && Date.now() - left.when < GO_ON ? left : null;
}

// Shows one of the two videos at a time of it, in seconds.
function show(wanted, at, playing) {
  shown = wanted;
  document.getElementById("broken").hidden = true;
  const captioned = captioning.getAttribute("aria-pressed") === "true";
  video.replaceChildren();
  if (shown.captions) {
    const track = document.createElement("track");
    Object.assign(track, { kind: "captions", src: shown.captions, label: main.dataset.captions, default: captioned });
    if (shown.language) track.srclang = shown.language;
    video.append(track);
  }
  captioning.hidden = !shown.captions;
  video.src = shown.url;
  video.addEventListener("loadedmetadata", () => {
    if (at) video.currentTime = Math.min(at, video.duration || at);
    if (playing) video.play().catch(() => {});
  }, { once: true });
  for (const button of document.querySelectorAll("[data-kind]")) {
    button.setAttribute("aria-pressed", String(button.dataset.kind === shown.kind));
  }
  document.querySelector(".chapters").hidden = !shown.chapters.length;
  fill(chapters, shown.chapters, (chapter) => chapter.title);
  shown.chapters.forEach((chapter, row) => timed(chapters.children[row], chapter.start));
  data.lines.forEach((_, row) => timed(lines.children[row], shown.times[row]?.[0]));
  mark(chapters, -1);
  mark(lines, -1);
  follow();
}

function change(kind) {
  const wanted = data.videos.find((each) => each.kind === kind);
  if (!wanted || wanted === shown) return;
  const now = video.currentTime;
  const at = !data.keep ? now : kind === "original" ? toOriginal(now) : toProcessed(now);
  show(wanted, at, !video.paused);
}

// The processed video is the kept parts of the original, one after the other.
function toOriginal(at) {
  let left = at;
  for (const [start, end] of data.keep) {
    if (left < end - start) return start + left;
    left -= end - start;
  }
  return data.keep.at(-1)?.[1] ?? 0;
}

function toProcessed(at) {
  let before = 0;
  for (const [start, end] of data.keep) {
    if (at < end) return before + Math.max(at - start, 0);
    before += end - start;
  }
  return before;
}

function fill(list, rows, textOf) {
  list.replaceChildren(...rows.map((row) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.append(document.createElement("time"), document.createElement("span"));
    button.lastChild.textContent = textOf(row);
    item.append(button);
    return item;
  }));
}

function timed(item, at) {
  item.firstChild.dataset.at = at ?? "";
  item.firstChild.disabled = at === undefined;
  item.querySelector("time").textContent = at === undefined ? "" : clock(at);
}

function clock(at) {
  const whole = Math.floor(at);
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((each) => String(each).padStart(2, "0"));
  const hours = Math.floor(whole / 3600);
  return hours ? `${hours}:${parts.join(":")}` : parts.join(":");
}

for (const list of [chapters, lines]) {
  list.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button || button.dataset.at === "") return;
    letAlone = 0;
    // A little later than the beginning, or a rounded time would still belong to the one before.
    video.currentTime = Number(button.dataset.at) + 0.01;
    video.play().catch(() => {});
  });
}

// Marks what is spoken about and said just now.
function follow() {
  const now = video.currentTime;
  mark(chapters, last(shown.chapters.length, (row) => shown.chapters[row].start <= now));
  const row = mark(lines, last(shown.times.length, (each) => shown.times[each][0] <= now));
  if (row && !video.paused && Date.now() > letAlone) intoView(row);
}

// The last of the rows, which are in order, for which something holds; -1: none.
function last(length, holds) {
  let low = 0, high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) low = middle + 1; else high = middle;
  }
  return low - 1;
}

// Makes a row the current one; the row where it was not that before.
function mark(list, row) {
  const wanted = list.children[row]?.firstChild ?? null;
  const before = list.querySelector("[aria-current]");
  if (wanted === before) return null;
  before?.removeAttribute("aria-current");
  wanted?.setAttribute("aria-current", "true");
  return wanted;
}

function intoView(row) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const top = row.parentElement.offsetTop - scrolled.clientHeight / 3;
  scrolled.scrollTo({ top, behavior: calm ? "auto" : "smooth" });
}

for (const kind of ["wheel", "touchmove", "keydown"]) {
  scrolled.addEventListener(kind, () => { letAlone = Date.now() + FOLLOW_AGAIN; }, { passive: true });
}

// Search

search.addEventListener("input", find);
search.addEventListener("keydown", (event) => {
  if (event.key === "Enter") { event.preventDefault(); step(event.shiftKey ? -1 : 1); }
  if (event.key === "Escape") { search.value = ""; find(); search.blur(); }
});
search.form.addEventListener("submit", (event) => event.preventDefault());
for (const button of document.querySelectorAll("[data-step]")) {
  button.addEventListener("click", () => step(Number(button.dataset.step)));
}

function find() {
  const text = search.value.trim();
  const pattern = text ? new RegExp(text.replace(/[\\^$.*+?()[\]{}|\/]/g, "\\$&"), "giu") : null;
  data.lines.forEach((line, row) => {
    const place = lines.children[row].querySelector("span");
    if (pattern || place.childElementCount) place.replaceChildren(...marked(line, pattern));
  });
  hits = [...lines.querySelectorAll("mark")];
  hit = -1;
  lines.querySelector(".here")?.classList.remove("here");
  for (const button of document.querySelectorAll("[data-step]")) button.disabled = !hits.length;
  count.textContent = !pattern ? "" : hits.length ? `${hits.length}` : main.dataset.nothing;
  if (hits.length) step(1, false);
}

function marked(line, pattern) {
  const found = [];
  let at = 0;
  for (const each of pattern ? line.matchAll(pattern) : []) {
    const word = document.createElement("mark");
    word.textContent = each[0];
    found.push(line.slice(at, each.index), word);
    at = each.index + each[0].length;
  }
  return [...found, line.slice(at)];
}

function step(by) {
  if (!hits.length) return;
  lines.querySelector(".here")?.classList.remove("here");
  hit = (hit + by + hits.length) % hits.length;
  hits[hit].parentElement.classList.add("here");
  letAlone = Date.now() + FOLLOW_AGAIN;
  intoView(hits[hit].closest("button"));
  count.textContent = `${hit + 1} / ${hits.length}`;
}

// Keys

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input")) return;
  const onButton = event.target.matches("button");
  const key = event.key.toLowerCase();
  const acts = {
    " ": () => (video.paused ? video.play().catch(() => {}) : video.pause()),
    k: () => acts[" "](),
    arrowleft: () => { video.currentTime -= 5; },
    arrowright: () => { video.currentTime += 5; },
    j: () => { video.currentTime -= 10; },
    l: () => { video.currentTime += 10; },
    c: captions,
    "/": () => search.focus(),
  };
  // On itself the video has its own keys, and a button is pressed by the space bar.
  if (!acts[key] || (onButton && key === " ") || (event.target === video && [" ", "arrowleft", "arrowright"].includes(key))) return;
  event.preventDefault();
  acts[key]();
});

function captions() {
  const track = video.textTracks[0];
  if (track) track.mode = track.mode === "showing" ? "disabled" : "showing";
}

captioning.addEventListener("click", captions);
// The video's own menu switches them as well.
video.textTracks.addEventListener("change", () => {
  const track = video.textTracks[0];
  if (track) captioning.setAttribute("aria-pressed", String(track.mode === "showing"));
});
