/** Durations as people say them. */
import { useTranslator } from "@/i18n";

/** "38 ms", "4.2 s", "3 min 20 s", "1 h 5 min". */
export function useDurationText(): (ms: number) => string {
  const { number, t } = useTranslator();
  return (ms) => {
    if (ms < 1_000) {
      return `${number(Math.round(ms))}\u00a0ms`;
    }
    if (ms < 60_000) {
      return `${number(ms / 1_000, { maximumFractionDigits: 1 })}\u00a0${t("countdown.seconds")}`;
    }
    const seconds = Math.round(ms / 1_000);
    const minutes = Math.floor(seconds / 60);
    const [large, small] =
      minutes < 60
        ? [
            `${number(minutes)}\u00a0${t("countdown.minutes")}`,
            `${number(seconds % 60)}\u00a0${t("countdown.seconds")}`,
          ]
        : [
            `${number(Math.floor(minutes / 60))}\u00a0${t("countdown.hours")}`,
            `${number(minutes % 60)}\u00a0${t("countdown.minutes")}`,
          ];
    return `${large} ${small}`;
  };
}
