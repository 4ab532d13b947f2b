// A model of edgeclf in LiteRT's WebAssembly, ready to name what it sees.

import { loadAndCompile, loadLiteRt, supportsFeature, Tensor } from "../litert/core.js";
import { bytesOf, floatsOf, readSpec } from "./model_file.js";
import { Novelty } from "./novelty.js";
import { interpolate, preprocess } from "./resize.js";

const UNKNOWN = "unknown";
const UNLIKE = "unlike anything in training";
const MOST_THREADS = 4;

export class Classifier {
  // `outputs` has scale and zero point of the scores and of the features; `rasters` draws the pictures
  // of the self-test.
  static async load({ model, outputs, rasters }) {
    const classifier = new Classifier();
    classifier.spec = await readSpec(model);
    const { novelty, heatmap } = classifier.spec;
    classifier.novelty = novelty ? new Novelty(novelty) : null;
    classifier.classWeights = heatmap ? floatsOf(heatmap.weights, 2) : null;
    classifier.outputs = outputs;
    classifier.rasters = rasters;
    classifier.threads = await loadRuntime();
    classifier.model = await loadAndCompile(model, {
      accelerator: "wasm",
      cpuOptions: { numThreads: classifier.threads },
    });
    return classifier;
  }

  // Returns the model's outputs for an input as they come: scores, and features if it has any.
  async infer(image) {
    const input = new Tensor(image.data, [1, image.height, image.width, 3]);
    const outputs = await this.model.run(input);
    const arrays = outputs.map((output) => output.toTypedArray().slice());
    for (const tensor of [input, ...outputs]) tensor.delete(); // nothing else frees them
    return arrays;
  }

  // Returns the answer for an RGB image of any size, as `edgeclf run --json` gives it.
  async classify(image) {
    const { labels, input_hw: size, resize, thresholds = {} } = this.spec;
    const start = performance.now();
    const input = preprocess(image, size, resize);
    const [output, features] = await this.infer(input);
    const ms = performance.now() - start;
    const scores = dequantized(output, this.outputs[0]);
    const novelty = this.novelty?.judge(input, this.meanFeatures(features), scores);
    const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a] || a - b);
    const isSure = (place) => scores[place] >= (thresholds[labels[place]] ?? 0);
    const sure = novelty?.isUnknown ? [] : order.filter(isSure);
    const shown = sure[0] ?? order[0];
    return {
      label: sure.length ? labels[shown] : UNKNOWN,
      score: scores[shown],
      top: order.map((place) => [labels[place], scores[place]]),
      refused: isSure(order[0]) ? null : this.refusal(order[0], scores),
      novelty: novelty ? novelty.value : null,
      novelty_reason: novelty?.isUnknown ? this.reason(novelty, order) : null,
      heatmap: this.classWeights && this.heatmap(features, shown),
      ms,
    };
  }

  // Computes the outputs again that the file carries; returns how many values differ of how many.
  async selfTest() {
    const { self_test: test, input_hw: size } = this.spec;
    const expected = numbers(bytesOf(test.outputs), test.dtype);
    const expectedFeatures = test.features ? floatsOf(test.features, 4) : new Float32Array(0);
    const [computed, means] = [[], []];
    for (const raster of this.rasters) {
      const side = Math.sqrt(raster.length / 3);
      const [output, features] = await this.infer(
        interpolate({ data: raster, width: side, height: side }, ...size),
      );
      computed.push(...output);
      if (test.features) means.push(...this.meanFeatures(features));
    }
    const scale = test.dtype === "uint8" ? 1 : Math.max(1, ...expectedFeatures.map(Math.abs));
    const apart = [
      ...computed.map((value, place) => Math.abs(value - expected[place])),
      ...means.map((value, place) => Math.abs(value - expectedFeatures[place]) / scale),
    ];
    const whole = computed.length === expected.length && means.length === expectedFeatures.length;
    return {
      passed: whole && apart.every((difference) => difference <= test.tolerance),
      values: apart.length,
      different: apart.filter((difference) => difference !== 0).length,
    };
  }

  // The mean of each channel, in the steps of the output.
  meanFeatures(features) {
    const { channels, zero_point: zero } = this.outputs[1];
    const sums = new Float64Array(channels);
    for (let at = 0; at < features.length; at++) sums[at % channels] += features[at];
    return Float32Array.from(sums, (sum) => sum / (features.length / channels) - zero);
  }

  // Where the class stands: {values, height, width}, of which the largest is 1.
  heatmap(features, place) {
    const { channels, zero_point: zero, shape } = this.outputs[1];
    const weights = this.classWeights.subarray(place * channels, (place + 1) * channels);
    const values = new Float32Array(features.length / channels);
    for (let at = 0; at < features.length; at++) {
      values[Math.floor(at / channels)] += (features[at] - zero) * weights[at % channels];
    }
    const most = Math.max(...values, 0) || 1;
    const shares = values.map((value) => Math.max(value, 0) / most);
    return { values: shares, height: shape[0], width: shape[1] };
  }

  refusal(place, scores) {
    const label = this.spec.labels[place];
    return { label, score: scores[place], threshold: this.spec.thresholds[label] };
  }

  reason({ cause }, [first, second]) {
    const { labels } = this.spec;
    if (!["unlike", "between"].includes(cause)) return `${cause} than anything in training`;
    if (cause === "unlike" || second === undefined) return UNLIKE;
    return `between ${labels[first]} and ${labels[second]}`;
  }
}

// Loads LiteRT, on several threads where the page may share memory; returns how many.
async function loadRuntime() {
  const relaxed = await supportsFeature("relaxedSimd");
  const threads = relaxed && self.crossOriginIsolated
    ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1)
    : 1;
  const build = threads > 1 ? "threaded_" : relaxed ? "" : "compat_";
  const script = new URL(`litert/litert_wasm_${build}internal.js`, self.location.href).href;
  self.Module = {
    wasmBinary: await unpacked(script.replace(/js$/, "wasm.gz")),
    mainScriptUrlOrBlob: script, // what the threads load; they would load this worker otherwise
    printErr: (line) => console.debug(line), // its log, which is no error
  };
  await loadLiteRt(script);
  return threads;
}

// Unpacked here, so that it is small on its way from any host.
async function unpacked(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  const stream = response.body.pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

function numbers(bytes, dtype) {
  return dtype === "uint8" ? bytes : new Float32Array(bytes.buffer);
}

function dequantized(output, { scale, zero_point: zero }) {
  return Float32Array.from(output, (value) => (scale ? (value - zero) * scale : value));
}
