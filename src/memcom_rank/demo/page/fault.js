// A fault that is shown to the user: what was seen, what was wanted, what to do. As the errors of the command line.

export class Fault extends Error {
  /** @param {string} title @param {{seen: string, wanted: string, fix: string}} said */
  constructor(title, { seen, wanted, fix }) {
    super(title);
    Object.assign(this, { seen, wanted, fix });
  }
}

/** Put a fault, or any other error, in the place of the page's content. */
export function show(error) {
  const fault = error instanceof Fault ? error : new Fault("The page could not start", {
    seen: String(error?.message ?? error),
    wanted: "a browser of 2024 or later, with WebAssembly",
    fix: "Reload the page. If this stays, try another browser or build the page anew.",
  });
  console.error(error);
  const put = (id, text) => { document.getElementById(id).textContent = text; };
  put("fault-title", fault.message);
  put("fault-seen", fault.seen);
  put("fault-wanted", fault.wanted);
  put("fault-fix", fault.fix);
  document.getElementById("loading").hidden = true;
  document.getElementById("app").hidden = true;
  document.getElementById("fault").hidden = false;
}
