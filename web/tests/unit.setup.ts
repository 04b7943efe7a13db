/**
 * Before every unit test: the English messages, the DOM matchers, and the little that jsdom has not got. After it: nothing
 * of a test is left for the next.
 */
import "@testing-library/jest-dom/vitest";
import { i18n } from "@lingui/core";
import { cleanup, configure } from "@testing-library/react";
import { afterEach, beforeEach, vi } from "vitest";
import { messages as admin } from "../src/i18n/messages/admin/en.json?lingui";
import { messages as shop } from "../src/i18n/messages/shop/en.json?lingui";

/** jsdom knows the element but not how it opens: enough of it for a test to see whether it is open. */
function completeDialog(): void {
  const dialog = HTMLDialogElement.prototype;
  dialog.showModal ??= function showModal(this: HTMLDialogElement) {
    this.open = true;
  };
  dialog.close ??= function close(this: HTMLDialogElement) {
    if (this.open) {
      this.open = false;
      this.dispatchEvent(new Event("close"));
    }
  };
}

/** Without a layout nothing changes its size. */
class StillResizeObserver implements ResizeObserver {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}

completeDialog();
// A busy machine is slow: what is waited for comes, or the test has failed anyway.
configure({ asyncUtilTimeout: 8_000 });
vi.setConfig({ testTimeout: 20_000 });
globalThis.ResizeObserver ??= StillResizeObserver;
// jsdom has one that only complains.
window.scrollTo = () => undefined;

beforeEach(() => {
  i18n.loadAndActivate({ locale: "en", messages: { ...shop, ...admin } });
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  localStorage.clear();
  history.replaceState(null, "", "/");
});
