// A bundle's files -> manifest, model bytes, titles by id; nothing is used before its size and SHA-256 are checked.

import { Fault } from "./fault.js";

const FORMAT = "memcom-rank bundle";
const VERSION = 1;
const FIRST = 2; // ids 0 and 1 are padding and unknown
const REBUILD = "Export the bundle again and rebuild the page: python -m memcom_rank demo BUNDLE --output SITE";

/**
 * Fetch and check a bundle.
 * @param {URL} base its folder
 * @returns {Promise<{manifest: object, model: Uint8Array, titles: string[]}>} titles[id]; undefined for ids 0 and 1
 */
export async function load(base) {
  if (!globalThis.crypto?.subtle) {
    throw new Fault("This page cannot check the model here", {
      seen: `${location.origin}, which browsers do not count as a secure origin`,
      wanted: "https, or a server on this machine (localhost)",
      fix: "Host the page over https, or serve it on this machine: python -m memcom_rank demo BUNDLE",
    });
  }
  const manifest = read(await fetched(base, "manifest.json"));
  const [model, games] = await Promise.all([manifest.model, manifest.games].map((name) => checked(base, name, manifest)));
  const text = await gunzip(games, manifest.files[manifest.games].unpacked_bytes, manifest.games);
  return { manifest, model, titles: titlesOf(text, manifest) };
}

function read(bytes) {
  let manifest;
  try {
    manifest = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new Fault("The manifest cannot be read", { seen: error.message, wanted: "manifest.json of a bundle", fix: REBUILD });
  }
  if (manifest?.format !== FORMAT || manifest.version !== VERSION || manifest.runtime !== "onnx") {
    throw new Fault("This is no bundle that the page knows", {
      seen: `format ${manifest?.format}, version ${manifest?.version}, runtime ${manifest?.runtime}`,
      wanted: `${FORMAT}, version ${VERSION}, runtime onnx`,
      fix: REBUILD,
    });
  }
  return manifest;
}

async function fetched(base, name) {
  let said;
  try {
    const response = await fetch(new URL(name, base));
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
    said = `the server answered ${response.status}`;
  } catch (error) {
    said = error.message;
  }
  throw new Fault(`${name} was not loaded`, { seen: said, wanted: `bundle/${name} beside the page`, fix: REBUILD });
}

async function checked(base, name, manifest) {
  const wanted = manifest.files[name];
  const bytes = await fetched(base, name);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const seen = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (bytes.length === wanted.bytes && seen === wanted.sha256) return bytes;
  throw new Fault(`${name} is not the file that was exported`, {
    seen: `${bytes.length} bytes, SHA-256\n${seen}`,
    wanted: `${wanted.bytes} bytes, SHA-256\n${wanted.sha256}`,
    fix: `It was damaged or exchanged, and is not used. ${REBUILD}`,
  });
}

async function gunzip(bytes, size, name) {
  const unpacked = new Uint8Array(size);
  let at = 0;
  try {
    const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      unpacked.set(part.value, at); // throws where there is more than the manifest says
      at += part.value.length;
    }
    if (at !== size) throw new Error(`${at} bytes instead of ${size}`);
    return new TextDecoder("utf-8", { fatal: true }).decode(unpacked);
  } catch (error) {
    throw new Fault(`${name} cannot be unpacked`, { seen: error.message, wanted: `${size} bytes of text`, fix: REBUILD });
  }
}

function titlesOf(text, manifest) {
  const lines = text.replace(/\n$/, "").split("\n");
  if (lines.length !== manifest.num_games) {
    throw new Fault("Titles and model do not fit", {
      seen: `${lines.length} titles`, wanted: `${manifest.num_games} titles`, fix: REBUILD,
    });
  }
  const titles = new Array(FIRST);
  for (const line of lines) titles.push(plain(line.slice(line.indexOf("\t") + 1))); // own id <TAB> title, or title alone
  return titles;
}

function plain(escaped) {
  return escaped.replace(/\\([\\nt])/g, (_, mark) => ({ "\\": "\\", n: "\n", t: "\t" })[mark]);
}
