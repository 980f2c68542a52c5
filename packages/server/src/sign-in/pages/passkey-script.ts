/**
 * What runs in the browser, after the bundle of @simplewebauthn/browser: it lets forms for passkeys show, and puts into them
 * what the authenticator gives. It loads nothing and asks nobody but the browser. Plain JavaScript, for it is served as it is.
 */
export const passkeyScript = `
(() => {
  "use strict";
  const { browserSupportsWebAuthn, browserSupportsWebAuthnAutofill, startAuthentication, startRegistration } =
    SimpleWebAuthnBrowser;
  if (!browserSupportsWebAuthn()) return;

  const ask = (form, useBrowserAutofill) => {
    const optionsJSON = JSON.parse(form.dataset.options);
    return form.dataset.passkey === "create"
      ? startRegistration({ optionsJSON })
      : startAuthentication({ optionsJSON, useBrowserAutofill });
  };
  const send = (form, answer) => {
    form.elements.namedItem("answer").value = JSON.stringify(answer);
    form.submit();
  };
  const say = (text) => {
    for (const place of document.querySelectorAll("[data-passkey-said]")) place.textContent = text;
  };
  const words = (error) => {
    if (error.name === "InvalidStateError") return "This device has a passkey for your account already.";
    if (error.name === "NotAllowedError" || error.name === "AbortError") return "Nothing was done. You can try again.";
    return "This did not work: " + error.message;
  };

  for (const offer of document.querySelectorAll("[data-passkey-offer]")) offer.hidden = false;
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      say("");
      ask(form, false).then((answer) => send(form, answer), (error) => say(words(error)));
    });
  }

  const first = document.querySelector("form[data-autofill]");
  if (first) {
    browserSupportsWebAuthnAutofill()
      .then((can) => (can ? ask(first, true).then((answer) => send(first, answer)) : undefined))
      .catch(() => undefined);
  }
})();
`;
