// The page: it loads the model, looks through the camera, and classifies with the file that a Raspberry
// Pi runs. Nothing leaves the device.

import { classifyWith } from "./photographs.js";
import { keepUncertain } from "./uncertain.js";
import { at, drawHeatmap, element, percent, say, showBars, why } from "./view.js";

const MOST_CHANGES = 50;
const STEADY = 3; // pictures of the same label running make a change
const RATE_MS = 3000; // the time over which pictures a second are counted

const worker = new Worker("worker.js");
const waiting = new Map();
let stream = null;
let facing = "environment";
let last = null; // label of the latest change
let recent = []; // labels of the latest pictures
let times = [];

worker.onmessage = ({ data: { id, answer, error } }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error === undefined) resolve(answer);
  else reject(new Error(error));
};
worker.onerror = (event) => fail(`the page cannot run here: ${event.message}`);

// Gives the worker a task, and returns its answer. A picture's memory goes with it.
let tasks = 0;
export function ask(task, rest) {
  const id = tasks++;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    worker.postMessage({ id, task, ...rest }, rest.picture ? [rest.picture.data.buffer] : []);
  });
}

function show(state, word, headline, reason = "") {
  document.body.dataset.state = state;
  say("state", word);
  say("notice", headline);
  say("reason", reason);
}

function fail(reason) {
  show("dead", "Failed", "Not used", reason);
  at("start").hidden = true;
  at("choose").disabled = true;
}

async function begin() {
  await registerServiceWorker();
  const site = await (await fetch("site.json")).json();
  say("title", site.name);
  const about = await ask("load", { site });
  const { test } = about;
  if (!test.passed) {
    fail(`this browser computes other numbers than the model's maker: ${test.different} of ${test.values}`);
    return;
  }
  const threads = about.threads > 1 ? `${about.threads} threads` : "one thread";
  say("source", `${about.architecture} ${about.recipe}`);
  say("about", `Self-test passed: ${test.values - test.different} of ${test.values} values are the same as on the machine that made the file. ` +
    `${about.architecture}, ${about.recipe}, ${about.size[1]}×${about.size[0]} pixels, LiteRT in WebAssembly on ${threads}. Pictures do not leave this device.`);
  at("start").hidden = false;
  classifyWith(ask);
  show("connecting", "Ready", "The model is ready");
}

// Behind it the page needs no network any more.
async function registerServiceWorker() {
  if (!("serviceWorker" in navigator)) return;
  try {
    await navigator.serviceWorker.register("service_worker.js");
    await navigator.serviceWorker.ready;
    if (!navigator.serviceWorker.controller) {
      await new Promise((done) => navigator.serviceWorker.addEventListener("controllerchange", done, { once: true }));
    }
  } catch (error) {
    console.warn(`works only with a network: ${error.message}`);
  }
}

// The camera.

async function startCamera() {
  at("start").disabled = true;
  try {
    const video = { facingMode: facing, width: { ideal: 1280 }, height: { ideal: 720 } };
    stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
  } catch (error) {
    show("dead", "No camera", "No camera", cameraReason(error));
    return;
  } finally {
    at("start").disabled = false;
  }
  stream.getVideoTracks()[0].addEventListener("ended", () => stopCamera("The camera has ended"));
  at("video").srcObject = stream;
  await at("video").play();
  const cameras = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
  at("flip").hidden = cameras.length < 2;
  at("stop").hidden = false;
  show("live", "Live", "");
  at("stop").focus();
  look(stream);
}

function cameraReason({ name, message }) {
  const reasons = {
    NotAllowedError: "This page may not use it: allow it in the browser's settings for this site.",
    NotFoundError: "This device has none.",
    NotReadableError: "Another program uses it.",
  };
  return reasons[name] || message;
}

function stopCamera(headline = "The camera is off") {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  at("flip").hidden = at("stop").hidden = true;
  show("connecting", "Ready", headline);
  at("start").focus();
}

async function look(mine) {
  const canvas = new OffscreenCanvas(1, 1);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const video = at("video");
  while (stream === mine) {
    await new Promise((done) => video.requestVideoFrameCallback?.(done) ?? requestAnimationFrame(done));
    if (stream !== mine || !video.videoWidth) continue;
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    context.drawImage(video, 0, 0);
    const picture = context.getImageData(0, 0, canvas.width, canvas.height);
    try {
      const answer = await ask("classify", { picture });
      if (stream === mine) await showAnswer(answer, canvas);
    } catch (error) {
      stopCamera();
      show("dead", "Failed", "The picture was not classified", error.message);
    }
  }
}

async function showAnswer(answer, canvas) {
  say("label", answer.label);
  say("score", percent(answer.score));
  say("refused", why(answer));
  showBars(at("bars"), answer.top, answer.label);
  say("latency", answer.ms.toFixed(answer.ms < 10 ? 1 : 0));
  at("novelty-tile").hidden = answer.novelty === null;
  if (answer.novelty !== null) say("novelty", answer.novelty.toFixed(3));
  at("heatmap").hidden = !answer.heatmap;
  if (answer.heatmap) drawHeatmap(at("overlay"), answer.heatmap);
  const now = performance.now();
  times = times.filter((time) => now - time < RATE_MS).concat(now);
  if (times.length > 1) say("fps", ((1000 * (times.length - 1)) / (now - times[0])).toFixed(1));
  recent = [...recent.slice(1 - STEADY), answer.label];
  const isSteady = recent.length === STEADY && recent.every((label) => label === answer.label);
  if (isSteady && answer.label !== last) noteChange(answer);
  await keepUncertain(answer, canvas);
}

function noteChange(answer) {
  const row = element("li");
  const time = new Date();
  const when = element("time", "", time.toLocaleTimeString([], { hour12: false }));
  when.dateTime = time.toISOString();
  const what = element("span");
  what.append(element("b", "", answer.label));
  if (last !== null) what.append(element("span", "previous", ` after ${last}`));
  if (why(answer)) what.append(element("span", "previous", ` (${why(answer)})`));
  row.append(when, what, element("span", "score", percent(answer.score)));
  at("history").prepend(row);
  while (at("history").children.length > MOST_CHANGES) at("history").lastChild.remove();
  at("no-history").hidden = true;
  say("said", `Now ${answer.label}`);
  last = answer.label;
}

at("start").addEventListener("click", startCamera);
at("stop").addEventListener("click", () => stopCamera());
at("flip").addEventListener("click", () => {
  facing = facing === "environment" ? "user" : "environment";
  stopCamera();
  startCamera();
});
at("heatmap").addEventListener("click", () => {
  const on = at("overlay").hidden;
  at("overlay").hidden = !on;
  at("heatmap").setAttribute("aria-checked", String(on));
});

begin().catch((error) => fail(error.message));
