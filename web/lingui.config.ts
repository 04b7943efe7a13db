/** The page's languages. Messages have explicit ids (src/i18n/messages), in ICU MessageFormat. */
import { defineConfig } from "@lingui/cli";
import { formatter } from "@lingui/format-json";

export default defineConfig({
  sourceLocale: "en",
  locales: ["en", "de"],
  catalogs: ["shop", "admin"].map((area) => ({
    path: `<rootDir>/src/i18n/messages/${area}/{locale}`,
    include: ["src"],
  })),
  format: formatter({ style: "minimal" }),
});
