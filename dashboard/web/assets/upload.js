// Uploads, one file after the other, each with its progress and what became of it.
const main = document.querySelector("main");
const words = main.dataset;
const list = document.getElementById("list");
const input = document.getElementById("files");
const drop = document.querySelector(".drop");
const waiting = [];
let busy = null;

input.addEventListener("change", () => { add(input.files); input.value = ""; });
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  add(event.dataTransfer.files);
});
addEventListener("beforeunload", (event) => { if (busy) event.preventDefault(); });

function add(files) {
  for (const file of files) {
    const row = element("li");
    const name = element("span", "name");
    name.textContent = file.name;
    const button = element("button");
    button.type = "button";
    const bar = element("progress");
    bar.max = 1;
    bar.setAttribute("aria-label", file.name);
    const state = element("p", "state hint");
    row.append(name, button, bar, state);
    list.append(row);
    queue({ file, row, button, bar, state });
  }
}

function queue(item) {
  item.row.className = "";
  item.bar.hidden = false;
  item.bar.value = 0;
  item.state.textContent = words.waiting;
  act(item, words.cancel, () => cancel(item));
  waiting.push(item);
  next();
}

function next() {
  if (busy || !waiting.length) return;
  busy = waiting.shift();
  send(busy).then((text) => end(busy, "done", text), (refusal) => end(busy, "refused", refusal)).finally(() => {
    busy = null;
    next();
  });
}

// Resolves to what is shown of the recording; rejects with a sentence.
async function send(item) {
  const { file } = item;
  const about = new URLSearchParams({ name: file.name, modified: file.lastModified });
  item.began = Date.now();
  item.stop = new AbortController();
  item.state.textContent = fill(words.soon, { percent: 0, size: size(file.size) });
  // Asked before: no browser shows an answer that comes while it is still sending.
  const check = await fetch(`/uploads/check?${new URLSearchParams({ name: file.name, size: file.size })}`, { method: "POST", signal: item.stop.signal })
    .catch(() => Promise.reject(item.stop.signal.aborted ? words.cancelled : words.lost));
  if (!check.ok) throw refusal(check.status, await check.json().catch(() => null));
  const { status, body } = await sent(item, `/uploads?${about}`);
  if (status !== 200 && status !== 201) throw refusal(status, body);
  return { text: body.created ? words.done : words.known, id: body.recording_id };
}

function sent(item, address) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address);
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => progress(item, event));
    request.upload.addEventListener("load", () => {
      item.bar.removeAttribute("value");
      item.state.textContent = words.checking;
      act(item, "", null);
    });
    request.addEventListener("load", () => resolve({ status: request.status, body: request.response }));
    request.addEventListener("error", () => reject(words.lost));
    request.addEventListener("abort", () => reject(words.cancelled));
    item.stop.signal.addEventListener("abort", () => request.abort());
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.send(item.file);
  });
}

function progress(item, event) {
  if (!event.lengthComputable || !event.total) return;
  const part = event.loaded / event.total;
  const seconds = (Date.now() - item.began) / 1000;
  item.bar.value = part;
  const told = { percent: Math.floor(part * 100), size: size(event.total), left: clock(seconds / part - seconds) };
  item.state.textContent = fill(seconds > 2 ? words.sending : words.soon, told);
}

function end(item, how, what) {
  item.row.className = how;
  item.bar.hidden = true;
  if (how === "refused") {
    item.state.textContent = what;
    act(item, words.again, () => queue(item));
    return;
  }
  const link = element("a");
  link.href = `/recording?id=${what.id}`;
  link.textContent = fill(words.open, { id: what.id });
  link.addEventListener("click", leave);
  item.state.replaceChildren(`${what.text} `, link);
  act(item, words.remove, () => item.row.remove());
}

// A frame in Streamlit's sandbox may not lead its page elsewhere; a link of that page may.
function leave(event) {
  if (parent === window || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const link = parent.document.createElement("a");
  link.href = event.currentTarget.href;
  parent.document.body.append(link);
  link.click();
  link.remove();
}

function cancel(item) {
  const place = waiting.indexOf(item);
  if (place < 0) { item.stop?.abort(); return; }
  waiting.splice(place, 1);
  end(item, "refused", words.cancelled);
}

function act(item, text, what) {
  item.button.textContent = text;
  item.button.hidden = !what;
  item.button.onclick = what;
}

function refusal(status, body) {
  return body?.error ?? (status === 401 ? words.ended : words.lost);
}

function element(tag, name = "") {
  const made = document.createElement(tag);
  made.className = name;
  return made;
}

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

function size(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const step = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), 3);
  return new Intl.NumberFormat(document.documentElement.lang, {
    style: "unit", unit: units[step], maximumFractionDigits: step > 1 ? 1 : 0,
  }).format(bytes / 1000 ** step);
}

function clock(seconds) {
  const whole = Math.max(Math.round(seconds), 0);
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((each) => String(each).padStart(2, "0"));
  return [Math.floor(whole / 3600), ...parts].join(":");
}
