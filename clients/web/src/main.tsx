/** Where the page begins. */

import "@preact/signals";
import { render } from "preact";
import "./state/attention";
import "./state/notifications";
import "./drawing";
import { start } from "./state/session";
import "./styles/base.css";
import "./styles/layout.css";
import "./styles/controls.css";
import "./styles/conversation.css";
import "./styles/auth.css";
import "./styles/sections.css";
import { App } from "./views/app";

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
void start();

// Where the origin is not a secure one, the page works all the same, but only with a network.
void navigator.serviceWorker?.register("/sw.js").catch(() => undefined);
