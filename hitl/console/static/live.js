// Fetches this page again when the server says that it has changed, and takes over what is marked as live.
"use strict";
(() => {
  const live = "[data-live][id]";
  if (!document.querySelector(live) || !window.EventSource) return;
  const told = document.getElementById("told");
  const address = new URLSearchParams(location.search);
  address.set("page_path", location.pathname);
  let source = null, asked = 0, shown = 0;

  const say = words => { if (told && told.textContent !== words) told.textContent = words; };

  // Parsed by the browser into a document of its own, in which no script runs.
  const fetched = () => new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("GET", location.href);
    request.responseType = "document";
    request.onload = () => request.status === 200 && request.response ? done(request.response) : failed();
    request.onerror = failed;
    request.send();
  });

  const takeOver = next => {
    let changed = false;
    for (const old of document.querySelectorAll(live)) {
      const fresh = next.getElementById(old.id);
      if (!fresh || told_apart(old, fresh) === false) continue;
      const focused = old.contains(document.activeElement) && document.activeElement.getAttribute("href");
      const open = [...old.querySelectorAll("details")].map(one => one.open);
      const taken = document.importNode(fresh, true);
      old.replaceWith(taken);
      [...taken.querySelectorAll("details")].forEach((one, at) => { if (open[at]) one.open = true; });
      if (focused) [...taken.querySelectorAll("a")].find(one => one.getAttribute("href") === focused)?.focus();
      changed = true;
    }
    return changed;
  };

  // What only says how long ago something was is no news.
  const told_apart = (old, fresh) => {
    const plain = one => {
      const copy = one.cloneNode(true);
      copy.querySelectorAll("time").forEach(time => { time.textContent = ""; });
      copy.querySelectorAll("details").forEach(part => part.removeAttribute("open"));
      return copy.innerHTML;
    };
    return plain(old) !== plain(fresh);
  };

  const look = async () => {
    const mine = ++asked;
    try {
      const next = await fetched();
      if (mine < shown) return;
      shown = mine;
      say(takeOver(next) ? "Just updated" : "Live");
      document.title = next.title;
    } catch {
      say("Not live: reload");
    }
  };

  const begin = () => {
    if (source) return;
    source = new EventSource(`/live?${address}`);
    source.addEventListener("look", look);
    source.onerror = () => say(source && source.readyState === EventSource.CLOSED ? "Not live: reload" : "Connecting");
  };
  const end = () => { source?.close(); source = null; };

  // A browser has few connections to one place: only what is looked at holds one.
  document.addEventListener("visibilitychange", () => document.hidden ? end() : begin());
  addEventListener("pagehide", end);
  addEventListener("pageshow", () => { if (!document.hidden) begin(); });
  if (!document.hidden) begin();
})();
