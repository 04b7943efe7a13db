import { act, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { useLocation } from "wouter";
import { show } from "../../tests/unit.shop";
import { AnnouncerProvider, useAnnounceChange } from "./Announcer";
import { Button, ButtonLink } from "./Button";
import { Page } from "./Page";

function Said({ message }: { message: string | null }) {
  useAnnounceChange(message);
  return null;
}

const said = () => screen.getByTestId("announcer").textContent;

test("a change is announced, politely and as a whole; the first state is not", () => {
  vi.useFakeTimers();
  const ui = (message: string | null) => (
    <AnnouncerProvider>
      <Said message={message} />
    </AnnouncerProvider>
  );
  const { rerender } = render(ui("In progress."));
  act(() => void vi.advanceTimersByTime(100));
  expect(said()).toBe("");
  rerender(ui("It's yours."));
  act(() => void vi.advanceTimersByTime(100));
  expect(said()).toBe("It's yours.");
  expect(screen.getByTestId("announcer")).toHaveAttribute("aria-live", "polite");
  expect(screen.getByTestId("announcer")).toHaveAttribute("aria-atomic", "true");
});

test("two changes at once are both said: none takes the other's words away", () => {
  vi.useFakeTimers();
  const ui = (outcome: string, sale: string) => (
    <AnnouncerProvider>
      <Said message={outcome} />
      <Said message={sale} />
    </AnnouncerProvider>
  );
  const { rerender } = render(ui("In progress.", "On sale."));
  rerender(ui("It's yours.", "Sold out."));
  act(() => void vi.advanceTimersByTime(100));
  expect(said()).toBe("It's yours. Sold out.");
});

test("the same sentence is said again after silence", () => {
  vi.useFakeTimers();
  const ui = (message: string | null) => (
    <AnnouncerProvider>
      <Said message={message} />
    </AnnouncerProvider>
  );
  const { rerender } = render(ui(null));
  for (const message of ["Sold out.", null, "Sold out."]) {
    rerender(ui(message));
    act(() => void vi.advanceTimersByTime(10));
  }
  expect(said()).toBe("");
  act(() => void vi.advanceTimersByTime(100));
  expect(said()).toContain("Sold out.");
});

test("a button that is off keeps the focus, says so and does nothing", async () => {
  const onClick = vi.fn();
  const onSubmit = vi.fn((event: { preventDefault: () => void }) => event.preventDefault());
  render(
    <form onSubmit={onSubmit}>
      <Button type="submit" isOff onClick={onClick}>
        Go
      </Button>
    </form>,
  );
  await userEvent.tab();
  const button = screen.getByRole("button", { name: "Go" });
  expect(button).toHaveFocus();
  expect(button).toHaveAttribute("aria-disabled", "true");
  await userEvent.keyboard("{Enter} ");
  await userEvent.click(button);
  expect(onClick).not.toHaveBeenCalled();
  expect(onSubmit).not.toHaveBeenCalled();
});

test("a link to a file is left to the browser, one to a screen to the router", async () => {
  const { places } = show(
    <>
      <ButtonLink href="/sale/1">Screen</ButtonLink>
      <ButtonLink href="#file" isExternal>
        File
      </ButtonLink>
    </>,
  );
  await userEvent.click(screen.getByRole("link", { name: "Screen" }));
  expect(places).toEqual(["/", "/sale/1"]);
  await userEvent.click(screen.getByRole("link", { name: "File" }));
  expect(places).toEqual(["/", "/sale/1"]);
});

test("after moving to another screen the focus is on it, and its title is in the tab", async () => {
  function Screens() {
    const [place, navigate] = useLocation();
    return (
      <>
        <button type="button" onClick={() => navigate("/there")}>
          Move
        </button>
        {place === "/there" ? (
          <Page key="there" title="There">
            Content
          </Page>
        ) : (
          <Page key="here" title="Here">
            Content
          </Page>
        )}
      </>
    );
  }
  show(<Screens />, "/here");
  await userEvent.click(screen.getByRole("button", { name: "Move" }));
  await waitFor(() => expect(screen.getByRole("main")).toHaveFocus());
  expect(document.title).toBe("There · Flash sale");
  expect(screen.getByRole("heading", { level: 1, name: "There" })).toBeVisible();
});
