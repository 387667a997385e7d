// Asks the browser for a person's key, and sends the page's form with what it says.
"use strict";
(() => {
  const form = document.querySelector("form[data-key]");
  if (!form) return;
  const { challenge, host, known, user, name, key } = form.dataset;
  const told = form.querySelector("[data-told]");
  const button = form.querySelector("button");

  const bytes = text => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), one => one.charCodeAt(0));
  const text = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  const keys = known.split(" ").filter(Boolean).map(id => ({ type: "public-key", id: bytes(id) }));

  const make = () => navigator.credentials.create({ publicKey: {
    challenge: bytes(challenge),
    rp: { id: host, name: "Banksman" },
    user: { id: bytes(user), name, displayName: name },
    pubKeyCredParams: [-8, -7, -257].map(alg => ({ type: "public-key", alg })),
    excludeCredentials: keys,
    authenticatorSelection: { userVerification: "required", residentKey: "discouraged" },
    attestation: "none",
  } });
  const confirm = () => navigator.credentials.get({ publicKey: {
    challenge: bytes(challenge), rpId: host, allowCredentials: keys, userVerification: "required",
  } });

  const said = found => JSON.stringify({
    id: found.id, rawId: text(found.rawId), type: found.type,
    response: key === "make"
      ? { clientDataJSON: text(found.response.clientDataJSON), attestationObject: text(found.response.attestationObject) }
      : {
        clientDataJSON: text(found.response.clientDataJSON),
        authenticatorData: text(found.response.authenticatorData),
        signature: text(found.response.signature),
      },
  });

  form.addEventListener("submit", async event => {
    event.preventDefault();
    if (told) told.hidden = true;
    button.disabled = true;
    try {
      if (!window.PublicKeyCredential) throw new Error("This browser, or this address, has no keys.");
      form.elements[key === "make" ? "made" : "confirmation"].value = said(await (key === "make" ? make() : confirm()));
      form.submit();
    } catch (error) {
      button.disabled = false;
      if (!told) return;
      told.textContent = error.name === "NotAllowedError" ? "Nothing was confirmed. Try again." : error.message;
      told.hidden = false;
    }
  });
})();
