// What is measured inside a page. Expressions as text, since they run in the browser and not here.

export type Contrast = { what: string; ratio: number };

/** Relative luminance and contrast ratio (WCAG 2.2), and the colour behind an element: its own or an ancestor's. */
const colours = `
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = channels(colour).slice(0, 3).map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((channels(colour)[3] ?? 1) === 1) return colour;
    }
    throw new Error("nothing opaque behind " + element.outerHTML.slice(0, 120));
  };
`;

/** Contrast of every piece of text with what is behind it. */
export const textContrasts = `(() => {${colours}
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim();
    const parent = walker.currentNode.parentElement;
    if (text) found.push({ what: text, ratio: ratio(getComputedStyle(parent).color, behind(parent)) });
  }
  return found;
})()`;

/** Contrast of each button's and input's outline, and of each drawing, with what is around it. */
export const shapeContrasts = `(() => {${colours}
  const outlined = [...document.querySelectorAll("button, input:not([type=hidden])")];
  const drawn = [...document.querySelectorAll("svg")];
  return [
    ...outlined.map((e) => ({ what: e.outerHTML, ratio: ratio(getComputedStyle(e).borderTopColor, behind(e.parentElement)) })),
    ...drawn.map((e) => ({ what: e.outerHTML, ratio: ratio(getComputedStyle(e).color, behind(e.parentElement)) })),
  ];
})()`;

/** Elements that reach over the right or left edge of the window, and the document if it can be scrolled sideways. */
export const overflowing = `(() => {
  const width = document.documentElement.clientWidth;
  const over = [...document.querySelectorAll("body *")].filter((element) => {
    const box = element.getBoundingClientRect();
    return box.right > width + 0.5 || box.left < -0.5 || (element.scrollWidth > element.clientWidth + 1 &&
      element.clientWidth > 1 && getComputedStyle(element).display !== "inline");
  }).map((element) => element.outerHTML.slice(0, 120));
  return document.documentElement.scrollWidth > width ? ["document", ...over] : over;
})()`;

export type Focused = {
  /** Text of a button or link, name of an input; empty when nothing has the focus. */
  what: string;
  ringStyle: string;
  ringWidth: number;
  ringContrast: number;
};

/** The element that has the keyboard's focus and the ring around it. */
export const focused = `(() => {${colours}
  const element = document.activeElement;
  const style = getComputedStyle(element);
  return {
    what: element === document.body ? "" : element.name || element.textContent,
    ringStyle: style.outlineStyle,
    ringWidth: parseFloat(style.outlineWidth),
    ringContrast: ratio(style.outlineColor, behind(element === document.body ? element : element.parentElement)),
  };
})()`;

/** Sets the size of all text, as the text size setting of a browser does: "100%", "200%". */
export const setTextSize = (size: string) =>
  `document.documentElement.style.fontSize = ${JSON.stringify(size)}`;
