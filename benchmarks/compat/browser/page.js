// Runs a case in one of the two libraries; the driver calls `runCase` and reads `answer`.

import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";
import { FilesetResolver, ImageClassifier } from "@mediapipe/tasks-vision";

const RUNS = 11; // timed inferences, of which the median counts

const blocked = new Set();
document.addEventListener("securitypolicyviolation", (event) => blocked.add(event.blockedURI));

// Each returns {infer, close}: infer takes the RGB bytes of an image, and returns its outputs.
const LIBRARIES = {
  async litert({ model, shape, build, threads }) {
    await loadLiteRt(`/packages/@litertjs/core/wasm/${build}`);
    const options = { accelerator: "wasm", cpuOptions: { numThreads: threads } };
    const compiled = await loadAndCompile(model, options);
    return {
      async infer(rgb) {
        const input = new Tensor(rgb, shape);
        const outputs = await compiled.run(input);
        const arrays = outputs.map((output) => output.toTypedArray());
        for (const tensor of [input, ...outputs]) tensor.delete();
        return arrays;
      },
      close: () => compiled.delete(),
    };
  },

  async tasksVision({ model, shape }) {
    const files = await FilesetResolver.forVisionTasks("/packages/@mediapipe/tasks-vision/wasm");
    const classifier = await ImageClassifier.createFromOptions(files, {
      baseOptions: { modelAssetBuffer: model, delegate: "CPU" },
      maxResults: -1,
      scoreThreshold: 0,
    });
    return {
      async infer(rgb) {
        const { classifications } = classifier.classify(imageData(rgb, shape));
        return classifications.map(({ categories }) => {
          const scores = new Float32Array(categories.length);
          for (const { index, score } of categories) scores[index] = score;
          return scores;
        });
      },
      close: () => classifier.close(), // it sends its report now, or once a minute
    };
  },
};

function imageData(rgb, [, height, width]) {
  const rgba = new Uint8ClampedArray(height * width * 4).fill(255);
  for (let pixel = 0; pixel < height * width; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      rgba[pixel * 4 + channel] = rgb[pixel * 3 + channel];
    }
  }
  return new ImageData(rgba, width, height);
}

async function bytes(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function base64(arrays) {
  const url = await new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.readAsDataURL(new Blob(arrays));
  });
  return url.slice(url.indexOf(",") + 1);
}

async function medianMs(infer, image) {
  const times = [];
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    await infer(image);
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[(RUNS - 1) / 2];
}

async function run(library, options) {
  const { shape, inputs } = JSON.parse(new TextDecoder().decode(await bytes("/case/case.json")));
  const images = await bytes("/case/inputs.bin");
  const model = await bytes("/case/model.tflite");
  const { infer, close } = await LIBRARIES[library]({ model, shape, ...options });
  const size = images.length / inputs;
  const outputs = [];
  for (let start = 0; start < images.length; start += size) {
    outputs.push(await infer(images.subarray(start, start + size)));
  }
  const ms = await medianMs(infer, images.subarray(0, size));
  close();
  const back = outputs[0].map((_, output) => base64(outputs.map((arrays) => arrays[output])));
  return { outputs: await Promise.all(back), ms };
}

globalThis.runCase = (library, options) => {
  globalThis.answer = null;
  run(library, options)
    .catch((error) => ({ refused: String(error?.message ?? error) }))
    .then((answer) => {
      globalThis.answer = { ...answer, blocked: [...blocked] };
    });
};
