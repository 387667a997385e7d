// Keeps the page as it is now: asks twice a second what changed, and changes only that.
"use strict";

const PAUSE = 400;
const seen = new Map();

function atEnd(box) {
  return box.scrollHeight - box.scrollTop - box.clientHeight < 48;
}

// Children are known by their ids; what looks the same stays, with its focus.
function merge(box, fresh) {
  const wanted = [...fresh.children];
  const ids = new Set(wanted.map((child) => child.id));
  for (const child of [...box.children]) if (!ids.has(child.id)) child.remove();
  wanted.forEach((child, index) => {
    const now = child.id ? box.querySelector(`:scope > #${CSS.escape(child.id)}`) : null;
    if (now && now.outerHTML === child.outerHTML) {
      if (box.children[index] !== now) box.insertBefore(now, box.children[index] ?? null);
    } else if (now) {
      now.replaceWith(child);
    } else {
      box.insertBefore(child, box.children[index] ?? null);
    }
  });
}

function show(dialog) {
  dialog.removeAttribute("open");
  dialog.showModal();
  const leave = () => dialog.querySelector("[data-close]").click();
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); leave(); });
  // The browser may close it without asking, when nothing was clicked on this page yet.
  dialog.addEventListener("close", leave);
}

function parsed(html) {
  const holder = document.createElement("div");
  holder.innerHTML = html;
  return holder;
}

function apply(name, html) {
  if (seen.get(name) === html) return;
  const first = !seen.has(name);
  seen.set(name, html);
  const box = document.getElementById(name);
  if (name === "messages") {
    const follow = atEnd(box);
    merge(box, parsed(html));
    if (follow) box.scrollTop = box.scrollHeight;
  } else if (name === "thread") {
    const list = document.getElementById("thread-messages");
    const fresh = parsed(html).querySelector("#thread-messages");
    if (list && fresh) merge(list, fresh);
    else if (!first) box.innerHTML = html;
  } else if (name === "modal") {
    const before = box.querySelector("dialog");
    if (first && before && html.includes("<dialog")) return;
    box.innerHTML = html;
    const dialog = box.querySelector("dialog");
    if (dialog) show(dialog);
  } else if (!first || box.innerHTML.trim() !== html.trim()) {
    const focused = box.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    box.innerHTML = html;
    if (focused) box.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
  }
}

let tag = null;
let gone = false;
async function poll() {
  try {
    if (!document.hidden) {
      const answer = await fetch(document.body.dataset.live, tag ? { headers: { "If-None-Match": tag } } : {});
      if (answer.ok) {
        const parts = await answer.json();
        tag = answer.headers.get("ETag");
        for (const [name, html] of Object.entries(parts)) apply(name, html);
      }
    }
    document.body.classList.remove("offline");
  } catch {
    if (!gone) document.body.classList.add("offline");
  }
  if (!gone) setTimeout(poll, PAUSE);
}

window.addEventListener("pagehide", () => { gone = true; });
window.addEventListener("pageshow", (event) => { if (event.persisted) { gone = false; poll(); } });

document.addEventListener("submit", (event) => {
  const pressed = event.submitter;
  if (!pressed || event.target.dataset.sent) return event.target.dataset.sent && event.preventDefault();
  event.target.dataset.sent = "1";
  pressed.setAttribute("aria-busy", "true");
});

// A button that is a link tells the app, too.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-click]");
  if (!link) return;
  const { channel, ts, block, action, user } = link.dataset;
  fetch("/_twin/click", {
    method: "POST",
    keepalive: true,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ channel, ts, block_id: block, action_id: action, user }),
  }).catch(() => {});
});

for (const dialog of document.querySelectorAll("dialog[open]")) show(dialog);
const messages = document.getElementById("messages");
if (!location.hash) messages.scrollTop = messages.scrollHeight;
const replies = document.getElementById("thread-messages");
if (replies) replies.scrollTop = replies.scrollHeight;
poll();
