/** Whether news arrive by themselves; who needs them polls otherwise. Provided by the app. */
import { createContext, useContext } from "react";

export const IsLiveContext = createContext(false);

export const useIsLive = (): boolean => useContext(IsLiveContext);
