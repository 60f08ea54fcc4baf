// A model and a history -> the catalogue's best games; onnxruntime-web on one thread of WebAssembly.

import * as ort from "./npm/ort.mjs";

ort.env.wasm.numThreads = 1; // more would need headers that a plain host does not send

/** Make the ranker of a model. @param {Uint8Array} model @returns {Promise<(history: number[]) => Promise<Ranking>>} */
export async function makeRanker(model) {
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });

  /**
   * Rank the whole catalogue.
   * @param {number[]} history ids of games that were played; none ranks without a history
   * @returns {Promise<{ids: number[], scores: number[], ms: number}>} best first; ms from ids to ids
   */
  return async (history) => {
    const start = performance.now();
    const row = BigInt64Array.from(history.length ? history : [0], BigInt);
    const found = await session.run({ history: new ort.Tensor("int64", row, [1, row.length]) });
    const ids = Array.from(found.ids.data, Number);
    const ms = performance.now() - start;
    const scores = Array.from(found.scores.data);
    const left = ids.filter((id) => id > 0).length; // padding follows the games that are left
    return { ids: ids.slice(0, left), scores: scores.slice(0, left), ms };
  };
}
