// The classifier, beside the page, which stays quick meanwhile. A classic worker, not a module, since
// LiteRT's own script is loaded by importScripts.

"use strict";

let classifier = null;

// Each returns the answer to a message.
const TASKS = {
  async load({ site }) {
    const { Classifier } = await import("./classifier/classifier.js");
    const { bytesOf } = await import("./classifier/model_file.js");
    const response = await fetch(site.model);
    if (!response.ok) throw new Error(`${site.model}: ${response.status}`);
    classifier = await Classifier.load({
      model: new Uint8Array(await response.arrayBuffer()),
      outputs: site.outputs,
      rasters: site.self_test.map(bytesOf),
    });
    const test = await classifier.selfTest();
    const { labels, thresholds, input_hw: size, recipe, architecture } = classifier.spec;
    return { test, labels, thresholds, size, recipe, architecture, threads: classifier.threads };
  },

  // `picture` is an ImageData of any size.
  async classify({ picture }) {
    const { rgbOf } = await import("./classifier/resize.js");
    return classifier.classify(rgbOf(picture));
  },

  // What the model gives for an input of its own size, as it comes.
  async infer({ picture }) {
    const { preprocess, rgbOf } = await import("./classifier/resize.js");
    const { input_hw: size, resize } = classifier.spec;
    return classifier.infer(preprocess(rgbOf(picture), size, resize));
  },
};

onmessage = async ({ data: { id, task, ...rest } }) => {
  try {
    postMessage({ id, answer: await TASKS[task](rest) });
  } catch (error) {
    postMessage({ id, error: String(error?.message ?? error) });
  }
};
