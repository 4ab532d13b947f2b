// Keeps the site on the device, so that it needs no network after its first visit.

"use strict";

const VERSION = "@VERSION@"; // a digest of all files: written when the site is made
const SMALL = ["@SMALL@"]; // what the page needs before it asks for the model

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(caches.open(VERSION).then((cache) => cache.addAll(SMALL)));
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    const names = await caches.keys();
    await Promise.all(names.filter((name) => name !== VERSION).map((name) => caches.delete(name)));
    await self.clients.claim();
  })());
});

self.addEventListener("fetch", (event) => {
  const isOurs = new URL(event.request.url).origin === self.location.origin;
  if (event.request.method === "GET" && isOurs) event.respondWith(answer(event.request));
});

async function answer(request) {
  const cache = await caches.open(VERSION);
  const known = await cache.match(request, { ignoreSearch: true });
  const response = known || (await fetch(request));
  if (!known && response.ok) await cache.put(request, response.clone());
  return isolated(response);
}

// With these headers a page may compute on several threads, which hosts of static files do not send.
function isolated(response) {
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}
