// Keeps the files of the page, so that it opens without a network too. The newest ones are asked for first, always.

const kept = "chatx-page";
const files = ["/", "/app.js", "/app.css", "/favicon.svg"];

self.addEventListener("install", (event) => {
  const fill = async () => (await caches.open(kept)).addAll(files);
  event.waitUntil(fill().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method === "GET" && origin === self.location.origin && files.includes(pathname)) {
    event.respondWith(newest(event.request, pathname));
  }
});

async function newest(request, pathname) {
  const cache = await caches.open(kept);
  try {
    const answer = await fetch(request);
    if (answer.ok) await cache.put(pathname, answer.clone());
    return answer;
  } catch (thrown) {
    const known = await cache.match(pathname);
    if (known === undefined) throw thrown;
    return known;
  }
}
