// Asks for the state and the picture, one request of each at a time: nothing queues where the network is slow.
// The age of the picture is counted here from the moment it was asked for, so that one that no longer changes is
// marked whatever has failed: camera, service or network. A stream in an <img> would freeze without a word.

const PICTURE_MS = 250;
const STATE_MS = 1000;
const TIMEOUT_MS = 5000;
const SILENT_S = 4; // since the state was told: the service is away
const SHOWN_SCORES = 5;
const COLOURS = 8;
const STRIP_WIDTH = 300; // as in the viewBox
const STRIP_HEIGHT = 40;

const $ = (id) => document.getElementById(id);
const colours = new Map();
let state = null;
let stateAt = null;
let picture = null; // {tag, age_s, at} of the one that is shown

// Two clocks: one does not count a computer's sleep, the other may be set.
const clock = () => ({ steady: performance.now(), wall: Date.now() });
const secondsSince = (at) => Math.max(performance.now() - at.steady, Date.now() - at.wall, 0) / 1000;

function text(element, value) {
  if (element.textContent !== value) element.textContent = value; // a screen reader reads what changes
}

function item(tag, ...children) {
  const made = document.createElement(tag);
  made.append(...children);
  return made;
}

function colour(label) {
  if (label === null) return "";
  if (!colours.has(label)) colours.set(label, colours.size % COLOURS);
  return `k${colours.get(label)}`;
}

function length(seconds) {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const rest = Math.floor(seconds % 60);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min${rest ? ` ${rest} s` : ""}`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

async function ask(path, headers = {}) {
  const answer = await fetch(path, { cache: "no-store", headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (answer.status === 401) location.reload(); // the token has changed: sign in again
  if (!answer.ok && answer.status !== 304) throw new Error(answer.status);
  return answer;
}

async function askPicture() {
  const at = clock();
  const answer = await ask("picture", picture ? { "If-None-Match": picture.tag } : {});
  if (answer.status === 204) return;
  const age_s = Number(answer.headers.get("Reelflow-Age-S"));
  if (answer.status === 304) {
    Object.assign(picture, { age_s, at });
    return;
  }
  const fresh = new Image();
  fresh.src = URL.createObjectURL(await answer.blob());
  try {
    await fresh.decode(); // one that cannot be shown does not make the old one live
  } finally {
    URL.revokeObjectURL(fresh.src); // decoded, it needs its bytes no more
  }
  fresh.id = "picture";
  $("picture").replaceWith(fresh);
  picture = { tag: answer.headers.get("ETag"), age_s, at };
  showLiveness();
}

async function askState() {
  const at = clock();
  state = await (await ask("state")).json();
  stateAt = at;
  Object.keys(state.answer?.scores ?? {}).forEach(colour);
  showStrip();
  showEvents();
}

function showLiveness() {
  const silent = stateAt === null ? 0 : secondsSince(stateAt);
  const away = silent > SILENT_S;
  const age_s = picture ? picture.age_s + secondsSince(picture.at) : null;
  const live = age_s !== null && state !== null && !away && state.is_connected && age_s <= state.stale_s;
  document.body.dataset.picture = age_s === null ? "none" : live ? "live" : "stale";
  const badge = age_s === null ? "No picture yet" : live ? "Live" : `Not live: ${length(age_s)} old`;
  text($("badge"), badge);
  if (picture) $("picture").alt = live ? "Live picture of the camera" : "Old picture, not live";
  const status = away ? "away" : (state?.status ?? "starting");
  $("status").dataset.status = status;
  text($("status"), { ok: "watching", away: "no connection" }[status] ?? status);
  const problem = away ? "The service does not answer." : (state?.reason ?? "");
  $("alert").hidden = !problem;
  text($("alert"), problem);
  showAnswer(away || !live ? null : state.answer);
  const name = state?.camera ?? "reelflow";
  text($("camera"), name);
  document.title = `${live ? (state.answer?.label ?? "unsure") : "not live"} · ${name}`;
}

function showAnswer(answer) {
  $("label").classList.toggle("quiet", !answer?.label);
  text($("label"), answer ? (answer.label ?? "unsure") : "No answer now");
  const guess = answer && !answer.label ? `, best guess ${answer.best_guess}` : "";
  text($("score"), answer ? `score ${answer.score.toFixed(2)}${guess}` : "");
  const best = Object.entries(answer?.scores ?? {}).sort((one, other) => other[1] - one[1]);
  $("scores").replaceChildren(
    ...best.slice(0, SHOWN_SCORES).map(([label, score]) => {
      const row = item("li", item("span", label), item("span", score.toFixed(2)));
      row.className = colour(label);
      row.style.setProperty("--part", score);
      return row;
    }),
  );
  if (state) {
    const dropped = `${state.dropped} dropped, ${state.reconnects} reconnects`;
    text($("facts"), `${state.frames} frames, ${dropped}`);
  }
}

function showStrip() {
  const { strip, strip_s, hop_s } = state;
  const shares = new Map();
  const rects = strip.map(([ago_s, label, score], place) => {
    const next = place + 1 < strip.length ? strip[place + 1][0] : 0;
    const width = Math.min(ago_s - next, hop_s + 1.5);
    shares.set(label, (shares.get(label) ?? 0) + width);
    const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const shape = {
      x: ((strip_s - ago_s) / strip_s) * STRIP_WIDTH,
      y: STRIP_HEIGHT * (1 - score),
      width: (width / strip_s) * STRIP_WIDTH,
      height: STRIP_HEIGHT * score,
    };
    for (const [name, value] of Object.entries(shape)) rect.setAttribute(name, value);
    if (label !== null) rect.setAttribute("class", colour(label));
    return rect;
  });
  $("strip").replaceChildren(...rects);
  text($("since"), `${length(strip_s)} ago`);
  const total = [...shares.values()].reduce((sum, one) => sum + one, 0) || 1;
  const told = [...shares].sort((one, other) => other[1] - one[1]).map(([label, seconds]) => {
    const entry = item("li", `${label ?? "unsure"} ${Math.round((100 * seconds) / total)} %`);
    if (label !== null) entry.className = colour(label);
    return entry;
  });
  $("legend").replaceChildren(...told);
  const summary = told.map((entry) => entry.textContent).join(", ") || "none";
  $("strip").setAttribute("aria-label", `Answers of the last minutes: ${summary}`);
}

function showEvents() {
  const today = new Date().toDateString();
  const rows = state.events.map((event) => {
    const began = new Date(event.began_at);
    const when = began.toDateString() === today ? began.toLocaleTimeString() : began.toLocaleString();
    const open = event.phase !== "end";
    const lasted = item("td", open ? "goes on" : length(event.duration_s));
    lasted.classList.toggle("open", open);
    return item("tr", item("td", when), item("td", event.label), lasted, item("td", event.best_score.toFixed(2)));
  });
  $("events").replaceChildren(...rows);
  $("no-events").hidden = rows.length > 0;
}

async function repeat(work, every_ms) {
  for (;;) {
    if (!document.hidden) await work().catch(() => {}); // what is missing grows old, and is marked
    await new Promise((done) => setTimeout(done, every_ms));
  }
}

setInterval(showLiveness, 250);
document.addEventListener("visibilitychange", showLiveness);
repeat(askPicture, PICTURE_MS);
repeat(askState, STATE_MS);
