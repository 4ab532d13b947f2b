"use strict";

const SILENT_MS = 4000; // the server speaks every second; after this it is gone
const MINUTE_MS = 60000;
const WORDS = {
  connecting: "Connecting",
  live: "Live",
  stale: "Stale",
  reconnecting: "Reconnecting",
  dead: "Dead",
  gone: "Server gone",
};
const COUNTS = {
  received: "received",
  classified: "classified",
  replaced: "replaced by a newer one",
  damaged: "damaged, not classified",
  frozen: "frozen, not classified",
  timeouts: "deadlines missed",
  disconnects: "connections lost",
  connects: "connections made",
};
const HEADLINES = {
  connecting: "Waiting for the first picture",
  stale: "No new picture since",
  reconnecting: "Reconnecting to the camera since",
  dead: "The camera has been dead since",
  gone: "The server has not answered since",
};

const at = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(0)} %`;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const clock = (ms) => new Date(ms).toLocaleTimeString([], { hour12: false });

let about = { labels: [], thresholds: {}, heatmap: false, max_bytes: Infinity };
let heard = Date.now(); // when the server last spoke
let goneSince = null;
let ended = false;
let latencies = []; // [ms of the clock, ms of an inference], of the last minute
let counted = []; // [ms of the clock, number of the frame], of the last three seconds

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function say(id, text) {
  const node = at(id);
  if (node.textContent !== text) node.textContent = text;
}

// How it is.

function showState(state, since, reason) {
  document.body.dataset.state = state;
  const timed = state !== "live" && state !== "connecting";
  say("state", WORDS[state]);
  say("since", timed ? ` since ${clock(since)}` : "");
  const headline = ended ? "The run ended at" : HEADLINES[state] || "";
  say("notice", timed ? `${headline} ${clock(since)}` : headline);
  document.title = `${state === "live" ? at("label").textContent : WORDS[state]} · ${about.title}`;
  say("reason", reason);
  at("stage").setAttribute("aria-busy", String(state !== "live"));
}

function show(now) {
  heard = Date.now();
  goneSince = null;
  if (now.label !== undefined) showLabel(now);
  showState(now.state, heard - 1000 * now.for_s, now.reason);
  say("source", now.source);
  say("camera-fps", now.fps ? `, of ${now.fps.toFixed(1)}` : "");
  showCounts(now);
  if (now.label === undefined) return;
  showBars(at("bars"), now.scores, now.label);
  const silent = now.silent_s > now.age_ms / 1000 + 1;
  say("age", silent ? now.silent_s.toFixed(1) : now.age_ms.toFixed(0));
  say("age-unit", silent ? "s" : "ms");
  if (counted.length && counted[counted.length - 1][1] === now.number) return;
  counted = counted.filter(([ms]) => heard - ms < 3000).concat([[heard, now.number]]);
  latencies.push([heard, now.ms]);
  say("latency", now.ms.toFixed(now.ms < 10 ? 1 : 0));
}

function showLabel(now) {
  if (at("label").textContent !== now.label) say("said", `Now ${now.label}`);
  say("label", now.label);
  say("score", percent(now.score));
  say("refused", why(now));
}

// Why the label is `unknown`; empty where nothing was refused.
function why({ novelty_reason: reason, refused }) {
  return reason || (refused ? refusal(refused) : "");
}

function refusal({ label, score, threshold }) {
  const exact = (share) => `${(100 * share).toFixed(1)} %`;
  return `${label} ${exact(score)} is below its threshold ${exact(threshold)}`;
}

function showBars(list, scores, believed) {
  while (list.children.length > scores.length) list.lastChild.remove();
  scores.forEach(([label, score], i) => {
    const row = list.children[i] || list.appendChild(newBar());
    const [name, value, track] = row.children;
    row.classList.toggle("believed", label === believed);
    if (name.textContent !== label) name.textContent = label;
    value.textContent = percent(score);
    track.firstChild.style.width = `${100 * score}%`;
    const threshold = about.thresholds[label];
    track.lastChild.hidden = !threshold;
    if (threshold) {
      track.lastChild.style.left = `${100 * threshold}%`;
      track.lastChild.title = `believed from ${percent(threshold)}`;
    }
  });
}

function newBar() {
  const row = element("li");
  const track = element("div", "track");
  track.append(element("div", "fill"), element("div", "mark"));
  row.append(element("span"), element("span", "score"), track);
  return row;
}

function showCounts(now) {
  const values = { ...now.counts, classified: now.number };
  const list = at("counts");
  for (const [name, words] of Object.entries(COUNTS)) {
    const id = `count-${name}`;
    if (!at(id)) {
      list.append(element("dt", "", words));
      list.appendChild(element("dd")).id = id;
    }
    say(id, String(values[name]));
  }
}

function showEvents(events) {
  const rows = events.map((event) => {
    const row = element("li");
    const time = element("time", "", clock(Date.parse(event.time)));
    time.dateTime = event.time;
    const what = element("span");
    what.append(element("b", "", event.label));
    if (event.previous !== null) what.append(element("span", "previous", ` after ${event.previous}`));
    if (why(event)) what.append(element("span", "previous", ` (${why(event)})`));
    row.append(time, what, element("span", "score", percent(event.score)));
    return row;
  });
  at("history").replaceChildren(...rows.reverse());
  at("no-history").hidden = events.length > 0;
}

function drawSparkline() {
  const now = Date.now();
  latencies = latencies.filter(([ms]) => now - ms < MINUTE_MS);
  const values = latencies.map(([, latency]) => latency);
  const highest = Math.max(...values, 0);
  const points = latencies.map(([ms, latency]) => {
    const x = 600 * (1 - (now - ms) / MINUTE_MS);
    return `${x.toFixed(1)} ${(54 - 46 * (latency / (highest || 1))).toFixed(1)}`;
  });
  const [area, line] = at("sparkline").children;
  const path = points.join("L");
  line.setAttribute("d", points.length ? `M${path}` : "");
  area.setAttribute(
    "d",
    points.length ? `M${points[0].split(" ")[0]} 56L${path}L${points.at(-1).split(" ")[0]} 56Z` : "",
  );
  const median = [...values].sort((a, b) => a - b)[values.length >> 1];
  say("latency-range", values.length ? `, median ${median.toFixed(0)}, at most ${highest.toFixed(0)}` : "");
  const [first, last] = [counted[0], counted.at(-1)];
  const rate = first && last[0] > first[0] ? (1000 * (last[1] - first[1])) / (last[0] - first[0]) : 0;
  if (last && now - last[0] > 3000) say("fps", "0");
  else if (rate) say("fps", rate.toFixed(1));
}

// What the server says.

let source = null;

function listen() {
  source = new EventSource("state");
  const on = (name, take) => source.addEventListener(name, (event) => take(JSON.parse(event.data)));
  on("about", (message) => {
    about = message;
    ended = false;
    say("title", about.title);
    for (const button of switches) button.hidden = !about.heatmap;
  });
  on("events", showEvents);
  on("teaching", showTeaching);
  on("state", show);
  on("end", () => {
    ended = true;
    goneSince = Date.now();
    heard = 0;
    watch();
  });
}

function watch() {
  if (document.hidden || Date.now() - heard < SILENT_MS) return;
  goneSince = goneSince || heard || Date.now();
  showState("gone", goneSince, "What is shown is from before.");
  if (source.readyState === EventSource.CLOSED) {
    source.close();
    listen();
  }
}

// The picture: each is asked for when the last has arrived, so that a slow line skips frames
// instead of falling behind.

let asking = null;
let heatmap = false;

async function askForPictures() {
  let after = "0";
  let kind = heatmap;
  while (!document.hidden) {
    if (kind !== heatmap) [after, kind] = ["0", heatmap];
    asking = new AbortController();
    const patience = setTimeout(() => asking.abort(), 20000);
    try {
      const answer = await fetch(`frame.jpg?after=${after}&heatmap=${+kind}`, { signal: asking.signal });
      if (answer.status === 401) location.reload();
      if (answer.status === 200) {
        await draw(await answer.blob());
        after = answer.headers.get("X-Number");
      } else if (answer.status !== 204) await wait(1000);
    } catch (error) {
      if (error.name !== "AbortError") await wait(1000);
    } finally {
      clearTimeout(patience);
    }
  }
}

async function draw(jpeg) {
  const bitmap = await createImageBitmap(jpeg);
  const canvas = at("picture");
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  }
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
}

const switches = document.querySelectorAll("[data-heatmap-switch]");
for (const button of switches) {
  button.addEventListener("click", () => {
    heatmap = !heatmap;
    for (const other of switches) other.setAttribute("aria-checked", String(heatmap));
    document.body.dataset.heatmap = heatmap ? "on" : "off";
    if (asking) asking.abort();
  });
}

// A page that nobody sees asks for nothing.

function wake() {
  if (document.hidden) {
    source.close();
    if (asking) asking.abort();
    return;
  }
  heard = Date.now();
  listen();
  askForPictures();
}

document.addEventListener("visibilitychange", wake);
setInterval(watch, 500);
setInterval(drawSparkline, 500);
addEventListener("DOMContentLoaded", wake); // the other scripts are there by then
