/** Just so much of a browser that the page's state runs without one: its cookies, and the network through them. */

const server = process.env["CHATX_URL"] ?? "";
const cookies = new Map<string, string>();
const plainFetch = globalThis.fetch;

globalThis.fetch = async (path, request) => {
  const headers = new Headers(request?.headers);
  headers.set("Origin", server);
  headers.set("Cookie", [...cookies].map(([name, value]) => `${name}=${value}`).join("; "));
  const answer = await plainFetch(new URL(String(path), server), { ...request, headers });
  for (const cookie of answer.headers.getSetCookie()) {
    const [name = "", value = ""] = cookie.split(";")[0]?.split("=") ?? [];
    cookies.set(name, value);
  }
  return answer;
};

const silent = { addEventListener: () => {} };
const browser = {
  document: { visibilityState: "visible", ...silent },
  window: silent,
  location: { hash: "", origin: server, pathname: "/" },
  history: { replaceState: () => {} },
  navigator: { onLine: true, userAgent: "" },
};
for (const [name, value] of Object.entries(browser)) Object.defineProperty(globalThis, name, { value, configurable: true });

export {};
