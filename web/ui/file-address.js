/** Addresses of files for elements of the page. Elements send no token, so pages with one load or link the files. */

import { useAppContext, useRetry } from "./app-context.js";
import { useEffect, useState } from "./html.js";

/** Returns the address of a picture; null while it is not known. */
export function usePictureAddress(path) {
  const { client } = useAppContext();
  const [address, setAddress] = useState(/** @type {string | null} */ (null));
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const load = () => {
    setProblem(null);
    if (!path) return undefined;
    let url = /** @type {string | null} */ (null);
    let isHere = true;
    addressOf(client, path).then(
      (found) => {
        if (isHere) setAddress((url = found));
        else release(found);
      },
      (error) => isHere && setProblem(error),
    );
    return () => {
      isHere = false;
      release(url);
    };
  };
  useEffect(load, [client, path]);
  useRetry(problem, load);
  return address;
}

async function addressOf({ api }, path) {
  const key = await api.key();
  if (!key) return new URL(path, api.base).href;
  return URL.createObjectURL(await api.download(path));
}

const release = (url) => void (url?.startsWith("blob:") && URL.revokeObjectURL(url));

/** Returns an address under which anyone may open a file for a few minutes. */
export const linkTo = async ({ api }, id) => new URL((await api.fileLink(id)).url, api.base).href;

/** Saves a file as a download. */
export async function save(client, { id, name }) {
  const link = document.createElement("a");
  link.href = await linkTo(client, id);
  link.download = name;
  link.click();
}
