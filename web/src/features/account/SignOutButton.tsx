/** Ends the session on the server, then here and in the other tabs. */
import { useMutation } from "@tanstack/react-query";
import { useLocation } from "wouter";
import { Button } from "@/components/Button";
import { useTranslator } from "@/i18n";
import { signOut, useSessionChanged } from "./session";

export function SignOutButton({ email }: { email: string }) {
  const { t } = useTranslator();
  const sessionChanged = useSessionChanged();
  const [, navigate] = useLocation();
  const ending = useMutation({
    mutationFn: signOut,
    onSuccess: async () => {
      navigate("/");
      await sessionChanged();
    },
  });
  return (
    <>
      <Button
        kind="quiet"
        className="font-medium"
        isOff={ending.isPending}
        onClick={() => ending.mutate()}
        title={t("layout.signedInAs", { email })}
      >
        {t("layout.signOut")}
      </Button>
      {ending.isError && (
        <p role="alert" className="text-danger text-sm">
          {t("layout.stillSignedIn")}
        </p>
      )}
    </>
  );
}
