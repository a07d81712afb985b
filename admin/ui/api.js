// Requests to the API of the service that this page comes from.

// The token is in the memory of this page only: neither in storage, nor in a cookie or an address.
let token = "";

/** An answer that is no success. `status` is 0 if there was no answer. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Sets the token of all further requests; an empty one ends the use of a token. */
export function useToken(text) {
  token = text;
}

/** Returns true if requests carry a token. */
export function hasToken() {
  return token !== "";
}

/** Makes a path in which every inserted value is encoded. */
export function path(parts, ...values) {
  return parts.reduce((whole, part, n) => whole + encodeURIComponent(values[n - 1]) + part);
}

/** Sends a request, with `body` as JSON if there is one, and returns the JSON of the answer. */
export async function call(method, target, body) {
  const text = await send(method, target, body);
  return text === "" ? undefined : JSON.parse(text);
}

/** Sends a GET, and returns the text of the answer. */
export async function read(target) {
  return send("GET", target);
}

async function send(method, target, body) {
  const headers = new Headers();
  if (token !== "") headers.set("Authorization", `Bearer ${token}`);
  if (body !== undefined) headers.set("Content-Type", "application/json");
  let response;
  let text;
  try {
    const options = { method, headers, cache: "no-store", redirect: "error" };
    response = await fetch(target, { ...options, body: body && JSON.stringify(body) });
    text = await response.text();
  } catch {
    throw new ApiError(0, "The service cannot be reached.");
  }
  if (response.ok) return text;
  throw new ApiError(response.status, problem(response.status, text));
}

// Returns the words for a person about a request that the service has refused.
function problem(status, text) {
  let answer = {};
  try {
    answer = JSON.parse(text);
  } catch {
    // A proxy in between may answer with anything.
  }
  const fields = Object.entries(answer.fields ?? {});
  if (fields.length > 0) return fields.map(([name, why]) => `${name}: ${why}`).join("; ");
  return answer.message ?? `The service answered with status ${status}.`;
}
