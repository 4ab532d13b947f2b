// How unlike its training a picture is, as edgeclf's runtime computes it: see docs/convert/novelty.md.

import { appearanceOf, departure } from "./appearance.js";
import { floatsOf } from "./model_file.js";

const LEAST_LENGTH = 1e-12;
const LEAST_DISTANCE = 1e-12;
const MOST_OF_BLEND = 1.02;

export class Novelty {
  constructor(values) {
    this.values = values;
    this.centre = floatsOf(values.centre, 4);
    this.axes = floatsOf(values.axes, 2); // axis by axis
    this.deviations = floatsOf(values.variances, 4).map(Math.sqrt);
    this.means = floatsOf(values.class_means, 2); // class by class, along the axes
    this.limit = normalQuantile(1 - values.false_unknown);
  }

  // Returns {value, isUnknown, cause} for a picture as the model takes it, its features and scores.
  judge(input, features, scores) {
    const { weights, distance: known, blend, appearance } = this.values;
    const distance = Math.log(this.distanceOf(features));
    const far = between(distance, known);
    const near = between(weights[0] * distance + weights[1] * doubtOf(scores), blend);
    const away = appearance ? departure(appearanceOf(input), appearance) : { share: 0 };
    const isFar = !(Math.max(far, away.share) <= 1); // what is no number is nothing that is known
    const share = isFar ? 1 + Math.max(far, 0) + away.share : Math.min(near, MOST_OF_BLEND);
    const deviations = Number.isFinite(far) ? share * this.limit : Infinity;
    const cause = !isFar ? "between" : (Number.isFinite(far) && away.words) || "unlike";
    return { value: normalCdf(deviations), isUnknown: deviations > this.limit, cause };
  }

  // The squared Mahalanobis distance from the nearest class.
  distanceOf(features) {
    const length = Math.max(Math.sqrt(sumOf(features, (value) => value * value)), LEAST_LENGTH);
    const offset = features.map((value, channel) => value / length - this.centre[channel]);
    const count = this.deviations.length;
    const along = new Float64Array(count);
    for (let axis = 0, at = 0; axis < count; axis++) {
      for (let channel = 0; channel < offset.length; channel++) {
        along[axis] += this.axes[at++] * offset[channel];
      }
    }
    let nearest = Infinity;
    for (let start = 0; start < this.means.length; start += count) {
      let sum = 0;
      for (let axis = 0; axis < count; axis++) {
        sum += ((along[axis] - this.means[start + axis]) / this.deviations[axis]) ** 2;
      }
      nearest = Math.min(nearest, sum);
    }
    const squares = (values) => sumOf(values, (value) => value * value);
    const beside = Math.max(squares(offset) - squares(along), 0) / this.values.rest_variance;
    return Math.max(nearest + beside, LEAST_DISTANCE);
  }
}

function doubtOf(scores) {
  const entropy = sumOf(scores, (score) => (score > 0 ? -score * Math.log(score) : 0));
  return Math.sqrt(Math.max(entropy, 0));
}

function between(value, [mean, limit]) {
  return (value - mean) / (limit - mean);
}

function sumOf(values, term) {
  let sum = 0;
  for (const value of values) sum += term(value);
  return sum;
}

// The standard normal distribution. Abramowitz and Stegun 7.1.26: within 1.5e-7.
function normalCdf(deviate) {
  const x = Math.abs(deviate) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const terms = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  const tail = 0.5 * t * terms.reduce((sum, term) => sum * t + term, 0) * Math.exp(-x * x);
  return deviate > 0 ? 1 - tail : tail;
}

function normalQuantile(share) {
  let [low, high] = [-10, 10];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (normalCdf(middle) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
