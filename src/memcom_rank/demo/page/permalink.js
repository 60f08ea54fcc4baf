// Picks <-> the address: #DIGEST=ID.ID, where DIGEST begins the bundle's, since ids mean nothing in another bundle.

/** @param {{digest: string}} manifest @param {number[]} picks */
export function toHash(manifest, picks) {
  return picks.length ? `#${manifest.digest.slice(0, 8)}=${picks.join(".")}` : "";
}

/** @param {string} hash @param {{digest: string, num_games: number}} manifest @returns {number[]} known ids, each once */
export function fromHash(hash, manifest) {
  const [digest, ids = ""] = hash.slice(1).split("=");
  if (digest !== manifest.digest.slice(0, 8)) return [];
  const known = ids.split(".").filter((id) => /^\d{1,9}$/.test(id)).map(Number);
  return [...new Set(known)].filter((id) => id >= 2 && id < manifest.num_games + 2);
}
