/** Where a shopper buys: the button before, every outcome after, each with what to do next. */
import { type ReactNode, useEffect, useRef, useState } from "react";
import { useLocation } from "wouter";
import { useAnnounceChange } from "@/components/Announcer";
import { Button, ButtonLink } from "@/components/Button";
import { Notice, Spinner, type Tone } from "@/components/Notice";
import { useSession } from "@/features/account/session";
import { type MessageId, useTranslator } from "@/i18n";
import type { Sale } from "@/lib/api/client";
import { type PurchaseView, usePurchase } from "./usePurchase";

interface BuyPanelProps {
  sale: Sale;
  status: Sale["status"];
}

export function BuyPanel({ sale, status }: BuyPanelProps) {
  const user = useSession();
  const purchase = usePurchase(user?.user_id ?? null, sale);
  const { view } = purchase;
  const panel = useRef<HTMLDivElement>(null);
  useFocusOnOutcome(panel, view);
  const canTryAgain = status === "active" && sale.remaining_stock > 0;
  return (
    // Tall enough for every outcome, so that what stands below does not move.
    <div ref={panel} tabIndex={-1} data-testid="purchase" data-state={view.is} className="min-h-60 outline-none">
      {view.is === "idle" || view.is === "unknown" ? (
        <BuyButton sale={sale} status={status} user={user} isUnknown={view.is === "unknown"} onPress={purchase.press} />
      ) : (
        <PurchaseOutcome view={view} sale={sale} canTryAgain={canTryAgain} purchase={purchase} />
      )}
    </div>
  );
}

interface BuyButtonProps {
  sale: Sale;
  status: Sale["status"];
  user: ReturnType<typeof useSession>;
  isUnknown: boolean;
  onPress: () => void;
}

function BuyButton({ sale, status, user, isUnknown, onPress }: BuyButtonProps) {
  const { t } = useTranslator();
  const [, navigate] = useLocation();
  const isSoldOut = sale.remaining_stock <= 0;
  const isOpen = status === "active" && !isSoldOut;
  const label: MessageId =
    status === "upcoming" ? "buy.soon" : status === "ended" ? "buy.ended" : isSoldOut ? "buy.soldOut" : "buy.now";
  const press = (): void => {
    if (user) {
      onPress();
    } else if (user === null) {
      navigate(`/sign-in?next=${encodeURIComponent(`/sale/${sale.flash_sale_id}`)}`);
    }
  };
  return (
    <div className="flex flex-col gap-3">
      <Button
        className="min-h-14 w-full text-lg"
        isOff={!isOpen || user === undefined || (user !== null && isUnknown)}
        onClick={press}
      >
        {t(label)}
      </Button>
      <p className="text-muted text-sm leading-relaxed">
        {t(hintOf(status, isSoldOut, user === null))}
        {status !== "ended" && (
          <>
            <br />
            {t("sale.fairness")}
          </>
        )}
      </p>
      {status === "ended" && user && (
        <ButtonLink href="/my-orders" className="self-start">
          {t("outcome.myOrders")}
        </ButtonLink>
      )}
    </div>
  );
}

function hintOf(status: Sale["status"], isSoldOut: boolean, isSignedOut: boolean): MessageId {
  if (status === "ended") {
    return "buy.endedHint";
  }
  if (status === "active" && isSoldOut) {
    return "buy.soldOutHint";
  }
  if (isSignedOut) {
    return status === "upcoming" ? "buy.signInBeforeHint" : "buy.signInHint";
  }
  return status === "upcoming" ? "buy.soonHint" : "buy.oneEachHint";
}

interface PurchaseOutcomeProps {
  view: Exclude<PurchaseView, { is: "idle" } | { is: "unknown" }>;
  sale: Sale;
  canTryAgain: boolean;
  purchase: { press: () => void; dismiss: () => void };
}

function PurchaseOutcome({ view, sale, canTryAgain, purchase }: PurchaseOutcomeProps) {
  const { t } = useTranslator();
  const { tone, title, text, orderId, actions } = useOutcome(view, sale, canTryAgain, purchase);
  // The seconds of a wait change with every try: they are not news.
  useAnnounceChange(view.is === "waiting" ? t(title) : `${t(title)}. ${text}`);
  return (
    <Notice tone={tone} title={t(title)} actions={actions}>
      <p className="flex items-start gap-3">
        {tone === "busy" && <Spinner className="mt-1 size-5" />}
        {text}
      </p>
      {orderId && <OrderNumber orderId={orderId} />}
    </Notice>
  );
}

function OrderNumber({ orderId }: { orderId: string }) {
  const { t } = useTranslator();
  return (
    <p className="text-sm">
      {t("outcome.orderNumber")}{" "}
      <code data-testid="order-number" className="select-all text-[0.8125rem] font-semibold">
        {orderId}
      </code>
    </p>
  );
}

interface Outcome {
  tone: Tone;
  title: MessageId;
  text: string;
  orderId?: string;
  actions?: ReactNode;
}

function useOutcome(
  view: PurchaseOutcomeProps["view"],
  sale: Sale,
  canTryAgain: boolean,
  purchase: PurchaseOutcomeProps["purchase"],
): Outcome {
  const { t, number } = useTranslator();
  const secondsLeft = useSecondsLeft(view.is === "waiting" ? view.waitMs : 0);
  const myOrders = <ButtonLink href="/my-orders">{t("outcome.myOrders")}</ButtonLink>;
  const otherSales = <ButtonLink href="/">{t("outcome.otherSales")}</ButtonLink>;
  const tryAgain = canTryAgain && <Button onClick={purchase.dismiss}>{t("outcome.tryAgain")}</Button>;
  switch (view.is) {
    case "placing":
      return { tone: "busy", title: "outcome.placing", text: t("outcome.placingText") };
    case "waiting":
      return {
        tone: "busy",
        title: `outcome.${view.reason}`,
        text: t(`outcome.${view.reason}Text`, { seconds: number(secondsLeft) }),
      };
    case "given_up":
      return {
        tone: "warn",
        title: "outcome.given_up",
        text: t("outcome.given_upText"),
        actions: (
          <>
            <Button onClick={purchase.press}>{t("outcome.goOn")}</Button>
            {myOrders}
          </>
        ),
      };
    case "in_progress":
      return { tone: "busy", title: "outcome.in_progress", text: t("outcome.in_progressText") };
    case "success":
      return {
        tone: "good",
        title: "outcome.success",
        text: t("outcome.successText", { name: sale.name }),
        orderId: view.orderId,
        actions: myOrders,
      };
    case "refused":
      return refusal(view);
  }

  function refusal({ reason, orderId }: Extract<PurchaseView, { is: "refused" }>): Outcome {
    const outcome = { title: `outcome.${reason}`, text: t(`outcome.${reason}Text`, { name: sale.name }) } as const;
    switch (reason) {
      case "already_purchased":
        return { ...outcome, tone: "good", ...(orderId ? { orderId } : {}), actions: myOrders };
      case "signed_out": {
        const next = `/sign-in?next=${encodeURIComponent(`/sale/${sale.flash_sale_id}`)}`;
        return { ...outcome, tone: "warn", actions: <ButtonLink href={next}>{t("layout.signIn")}</ButtonLink> };
      }
      case "sold_out":
      case "sale_ended":
        return { ...outcome, tone: "plain", actions: tryAgain || otherSales };
      case "sale_not_started":
        return { ...outcome, tone: "plain", actions: <Button onClick={purchase.dismiss}>{t("outcome.back")}</Button> };
      case "order_failed":
      case "product_not_found":
      case "refused":
        return { ...outcome, tone: "bad", actions: tryAgain || otherSales };
    }
  }
}

/** Whole seconds of a wait that begins when its length is given; 1 is the last. */
function useSecondsLeft(waitMs: number): number {
  const [until, setUntil] = useState(0);
  const [, tick] = useState(0);
  useEffect(() => {
    setUntil(performance.now() + waitMs);
    const timer = waitMs > 0 ? setInterval(() => tick((ticks) => ticks + 1), 500) : undefined;
    return () => clearInterval(timer);
  }, [waitMs]);
  return Math.max(1, Math.ceil((until - performance.now()) / 1000));
}

/** After a press the button is gone: the focus goes to what has taken its place, not to the top of the page. */
function useFocusOnOutcome(panel: { current: HTMLElement | null }, view: PurchaseView): void {
  const before = useRef(view.is);
  useEffect(() => {
    const wasPressed = (before.current === "idle" || before.current === "given_up") && view.is === "placing";
    const isBack = before.current === "refused" && view.is === "idle";
    before.current = view.is;
    if (wasPressed) {
      panel.current?.focus();
    } else if (isBack) {
      panel.current?.querySelector("button")?.focus();
    }
  }, [panel, view.is]);
}
