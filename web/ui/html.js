/** Rendering: preact, with templates in place of JSX. */

import { Fragment, createContext, h, options, render } from "../vendor/preact.js";
import {
  useCallback,
  useContext,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "../vendor/hooks.js";
import htm from "../vendor/htm.js";

export const html = htm.bind(h);
export {
  Fragment,
  createContext,
  render,
  useCallback,
  useContext,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
};

/** Makes changes and has them drawn before it returns. */
export function drawn(change) {
  const before = options.debounceRendering;
  let draw;
  options.debounceRendering = (callback) => (draw = callback);
  try {
    change();
    draw?.();
  } finally {
    options.debounceRendering = before;
  }
}

/** A component that is drawn again only when one of its properties is another one. */
export function memo(Component) {
  function Memo(props) {
    this.shouldComponentUpdate = (next) => !isSame(this.props, next);
    return h(Component, props);
  }
  return Memo;
}

/** Whether two values are one, or lists or objects of the same. */
export function isSame(a, b) {
  if (Object.is(a, b)) return true;
  if (!isCollection(a) || !isCollection(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.is(a[key], b[key]));
}

const isCollection = (value) =>
  Array.isArray(value) || (value !== null && typeof value === "object" && value.constructor === Object);

/** Class names, those that apply. */
export const classes = (...names) => names.filter(Boolean).join(" ");

/** Something of an object that tells by `on` when it has changed; drawn anew when it is another. */
export function useWatched(object, read) {
  const [, draw] = useState(0);
  const latest = useRef(/** @type {any} */ (null));
  const value = read(object);
  latest.current = { read, value };
  useLayoutEffect(() => {
    const look = () => {
      const { read, value } = latest.current;
      if (!isSame(read(object), value)) draw((count) => count + 1);
    };
    look();
    return object.on(look);
  }, [object]);
  return value;
}

/** What has the focus in the document, or in the shadow root that a node is in. */
export const focusedBeside = (node) => node.getRootNode().activeElement;

/** Whether a media query applies. */
export function useMedia(query) {
  const media = useMemo(() => matchMedia(query), [query]);
  const [applies, setApplies] = useState(media.matches);
  useEffect(() => {
    const look = () => setApplies(media.matches);
    look();
    media.addEventListener("change", look);
    return () => media.removeEventListener("change", look);
  }, [media]);
  return applies;
}

/** A function that stays the same one, and does what the latest one given would do. */
export function useLatest(callback) {
  const latest = useRef(callback);
  latest.current = callback;
  return useCallback((...args) => latest.current(...args), []);
}
