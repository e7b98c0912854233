// The API's token: kept until the tab is closed, asked for where the API demands one.

import { el, setText } from "./dom.js";

const KEY = "rollcast.token";
const POSSIBLE = /^[!-~]+$/; // what a daemon takes for one, and a header can carry

let asking = null;

/** The token that was given, or null. */
export function token() {
  return sessionStorage.getItem(KEY);
}

/** Ask for a token, once however many wait for it. refused: the one before was not accepted. */
export function askForToken(refused) {
  asking ??= ask(refused).finally(() => (asking = null));
  return asking;
}

function ask(refused) {
  return new Promise((resolve) => {
    const field = el("input", {
      id: "token",
      type: "password",
      autocomplete: "current-password",
      required: true,
      "aria-describedby": "token-help",
    });
    const wrong = el("p", { class: "wrong", role: "alert" }, refused && "That token was not accepted.");
    const form = el(
      "form",
      {},
      el("h2", { id: "token-title" }, "This daemon asks for a token"),
      wrong,
      el("label", { for: "token" }, "Token"),
      field,
      el(
        "p",
        { id: "token-help", class: "quiet" },
        "It is what ROLLCAST_API__TOKEN was set to when the daemon was started. It is kept until you close this tab.",
      ),
      el("button", { type: "submit" }, "Show the forecasts"),
    );
    const dialog = el("dialog", { class: "token", "aria-labelledby": "token-title" }, form);
    dialog.addEventListener("close", () => dialog.isConnected && open()); // there is nothing to see without it
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const given = field.value.trim();
      if (!POSSIBLE.test(given)) {
        setText(wrong, "No token looks like that: one has ASCII letters, digits and signs, without blanks.");
        field.select();
        return;
      }
      sessionStorage.setItem(KEY, given);
      dialog.remove();
      resolve();
    });
    const open = () => {
      dialog.showModal();
      field.focus();
    };
    document.body.append(dialog);
    open();
  });
}
