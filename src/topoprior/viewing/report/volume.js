"use strict";
// Volumes to scroll and to turn: three planes through each other, and the surface of a mask. What is shown lies in the
// page, in the attributes of its figure: intensities, a byte each, and masks, one bit each: 1 before, 2 after, 4 label.
(() => {
  const GREY = [226, 190, 64], ADDED = [46, 155, 255], REMOVED = [255, 140, 26], LABEL = [0, 200, 255];
  const NAMES = ["left and right", "front and back", "head and feet"];
  const SIDE = 360; // of the picture of the surface, in its own pixels

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const make = (name, parent, values = {}) => parent.appendChild(Object.assign(document.createElement(name), values));

  function view(figure) {
    const data = figure.dataset;
    const shape = data.shape.split(",").map(Number), spacing = data.spacing.split(",").map(Number);
    const image = bytes(data.image), masks = bytes(data.masks);
    const step = [shape[1] * shape[2], shape[2], 1];
    const place = shape.map((side) => side >> 1), turn = [0.6, 0.4];
    data.start.split(",").forEach((index, axis) => { place[axis] = Number(index); });
    let shown = "after";

    // The colour of a voxel's mask, or null.
    function colour(bits) {
      if (shown === "label") return bits & 4 ? LABEL : null;
      if (shown === "before") return bits & 1 ? GREY : null;
      if (shown === "none" || !(bits & 3)) return null;
      return (bits & 3) === 3 ? GREY : bits & 2 ? ADDED : REMOVED;
    }

    // A plane and its scroll bar: its columns run along the first of the other axes, its rows along the second.
    function plane(axis) {
      const [across, down] = [0, 1, 2].filter((other) => other !== axis);
      const [width, height] = [shape[across], shape[down]];
      const panel = make("div", panels), canvas = make("canvas", panel, { width, height, className: "plane" });
      canvas.style.aspectRatio = `${width * spacing[across]} / ${height * spacing[down]}`;
      const label = make("label", panel), words = make("span", label);
      const bar = make("input", label, { type: "range", min: 0, max: shape[axis] - 1, value: place[axis] });
      const context = canvas.getContext("2d"), picture = context.createImageData(width, height);
      bar.addEventListener("input", () => go(axis, Number(bar.value)));
      canvas.addEventListener("wheel", (event) => {
        event.preventDefault();
        go(axis, place[axis] + Math.sign(event.deltaY));
      }, { passive: false });
      const point = (event) => {
        if (!event.buttons) return;
        const box = canvas.getBoundingClientRect();
        go(across, Math.floor((event.clientX - box.left) / box.width * width));
        go(down, Math.floor((event.clientY - box.top) / box.height * height));
      };
      canvas.addEventListener("pointerdown", point);
      canvas.addEventListener("pointermove", point);
      return () => {
        for (let row = 0, out = 0; row < height; row++) {
          for (let column = 0; column < width; column++, out += 4) {
            const from = place[axis] * step[axis] + row * step[down] + column * step[across];
            const tint = colour(masks[from]), crossed = row === place[down] || column === place[across];
            for (let k = 0; k < 3; k++) {
              const grey = image[from] + (crossed ? 26 : 0);
              picture.data[out + k] = tint ? 0.55 * grey + 0.45 * tint[k] : grey;
            }
            picture.data[out + 3] = 255;
          }
        }
        context.putImageData(picture, 0, 0);
        bar.value = place[axis];
        words.textContent = `${NAMES[axis]}: plane ${place[axis] + 1} of ${shape[axis]}`;
      };
    }

    // The voxels of what is shown that have a side free, with the direction out of it.
    function surface() {
      const found = [], inside = (at) => colour(masks[at]) !== null;
      const index = [0, 0, 0];
      for (let at = 0; at < masks.length; at++) {
        if (inside(at)) {
          const normal = [0, 0, 0];
          let free = false;
          for (let axis = 0; axis < 3; axis++) {
            const low = index[axis] > 0 && inside(at - step[axis]);
            const high = index[axis] < shape[axis] - 1 && inside(at + step[axis]);
            free ||= !low || !high;
            for (const far of [1, 2, 3]) { // a wider look makes the shading smooth
              normal[axis] += (index[axis] >= far && inside(at - far * step[axis])) -
                (index[axis] < shape[axis] - far && inside(at + far * step[axis]));
            }
          }
          if (free) found.push({ at: index.map((one, axis) => one * spacing[axis]), normal, tint: colour(masks[at]) });
        }
        for (let axis = 2; axis >= 0 && ++index[axis] === shape[axis]; axis--) index[axis] = 0;
      }
      return found;
    }

    // The middle of all masks, and a diameter that holds them however they are turned.
    function extent() {
      const low = [...shape], high = [0, 0, 0], index = [0, 0, 0];
      for (let at = 0; at < masks.length; at++) {
        if (masks[at]) index.forEach((one, axis) => {
          low[axis] = Math.min(low[axis], one);
          high[axis] = Math.max(high[axis], one);
        });
        for (let axis = 2; axis >= 0 && ++index[axis] === shape[axis]; axis--) index[axis] = 0;
      }
      const sides = low.map((one, axis) => Math.max(1, high[axis] - one + 1) * spacing[axis]);
      return [low.map((one, axis) => (one + high[axis]) / 2 * spacing[axis]), Math.hypot(...sides)];
    }

    function solid() {
      const panel = make("div", panels), canvas = make("canvas", panel, { width: SIDE, height: SIDE, className: "solid", tabIndex: 0 });
      canvas.setAttribute("aria-label", "Surface of the mask; drag it, or use the arrow keys, to turn it");
      make("span", panel, { textContent: "surface: drag it, or use the arrow keys, to turn it" });
      const context = canvas.getContext("2d"), picture = context.createImageData(SIDE, SIDE);
      const far = new Float32Array(SIDE * SIDE);
      const [middle, size] = extent();
      const scale = 0.97 * SIDE / size;
      const dot = Math.ceil(scale * Math.max(...spacing) * 1.3);
      let voxels = [], of = null;
      canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
      canvas.addEventListener("pointermove", (event) => {
        if (event.buttons) rotate(event.movementX / 120, event.movementY / 120);
      });
      canvas.addEventListener("keydown", (event) => {
        const by = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.key];
        if (by) { event.preventDefault(); rotate(...by); }
      });
      return () => {
        if (of !== shown) [voxels, of] = [surface(), shown];
        const [cosA, sinA, cosB, sinB] = [Math.cos(turn[0]), Math.sin(turn[0]), Math.cos(turn[1]), Math.sin(turn[1])];
        // Seen from the front: across is left and right, down is head and feet, the depth is front and back.
        const turned = ([x, y, z]) => {
          const [across, deep] = [cosA * x + sinA * y, cosA * y - sinA * x];
          return [across, cosB * z - sinB * deep, cosB * deep + sinB * z];
        };
        far.fill(Infinity);
        picture.data.fill(0);
        for (const voxel of voxels) {
          const [x, y, depth] = turned(voxel.at.map((one, axis) => one - middle[axis])), normal = turned(voxel.normal), size = Math.hypot(...normal) || 1;
          const light = 0.3 + 0.7 * Math.max(0, (-0.8 * normal[2] - 0.45 * normal[1] - 0.4 * normal[0]) / size);
          const left = Math.round(SIDE / 2 + scale * x - dot / 2), top = Math.round(SIDE / 2 + scale * y - dot / 2);
          for (let row = Math.max(0, top); row < Math.min(SIDE, top + dot); row++) {
            for (let column = Math.max(0, left); column < Math.min(SIDE, left + dot); column++) {
              const to = row * SIDE + column;
              if (depth >= far[to]) continue;
              far[to] = depth;
              for (let k = 0; k < 3; k++) picture.data[4 * to + k] = light * voxel.tint[k];
              picture.data[4 * to + 3] = 255;
            }
          }
        }
        context.putImageData(picture, 0, 0);
      };
    }

    let waiting = false;
    function draw() {
      [data.planes, data.turn, data.shown] = [place.join(), turn.map((angle) => angle.toFixed(2)).join(), shown];
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; for (const paint of painters) paint(); });
    }
    function go(axis, to) { place[axis] = Math.min(shape[axis] - 1, Math.max(0, to)); draw(); }
    function rotate(sideways, up) { turn[0] += sideways; turn[1] = Math.min(1.5, Math.max(-1.5, turn[1] + up)); draw(); }

    const stage = document.createElement("div"), choice = make("div", stage, { className: "choice" });
    const panels = make("div", stage, { className: "panels" }), group = `shown-${data.number}`;
    for (const [value, words] of [["before", "before"], ["after", "after"], ["label", "label"], ["none", "image alone"]]) {
      if (value === "label" && data.labelled !== "yes") continue;
      const label = make("label", choice);
      const button = make("input", label, { type: "radio", name: group, value, checked: value === shown });
      label.append(` ${words}`);
      button.addEventListener("change", () => { shown = value; draw(); });
    }
    const painters = [plane(2), plane(1), plane(0), solid()];
    figure.prepend(stage);
    draw();
  }

  document.querySelectorAll("figure.volume").forEach(view);
})();
