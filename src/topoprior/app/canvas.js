// The drawing: one canvas pixel for each pixel of the map. It tells Python when a stroke ends.
// `element`, `props`, `trigger` and `watch` come from gradio.
const canvas = element.querySelector("canvas");
const pen = canvas.getContext("2d");
const grey = element.querySelector(".grey");
const size = element.querySelector(".size");
const MOST_UNDONE = 30;
let height, width, values, undone = [], stroke = null;

function read() {
	if (!props.value) return;
	const bytes = Uint8Array.from(atob(props.value.pixels), (letter) => letter.charCodeAt(0));
	if (props.value.height !== height || props.value.width !== width) undone = [];
	({ height, width } = props.value);
	values = Uint16Array.from({ length: bytes.length / 2 }, (_, k) => bytes[2 * k] + 256 * bytes[2 * k + 1]);
	canvas.width = width;
	canvas.height = height;
	if (values.every((value) => value === 0)) grey.value = 1; // black on black would seem to draw nothing
	shown();
	paint();
}

function paint() {
	const image = pen.createImageData(width, height);
	values.forEach((value, k) => image.data.set([value >> 8, value >> 8, value >> 8, 255], 4 * k));
	pen.putImageData(image, 0, 0);
}

function tell() {
	let letters = "";
	for (const value of values) letters += String.fromCharCode(value & 255, value >> 8);
	props.value = { height, width, pixels: btoa(letters) };
	trigger("input");
}

function chosen() {
	return Math.round(65535 * grey.value);
}

function remember() {
	undone.push(values.slice());
	if (undone.length > MOST_UNDONE) undone.shift();
}

function place(event) {
	const box = canvas.getBoundingClientRect();
	return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
}

function draw(to) {
	const [x0, y0] = stroke, [x1, y1] = to, radius = size.value / 2;
	const stops = Math.max(1, Math.ceil(2 * Math.hypot(x1 - x0, y1 - y0)));
	for (let stop = 0; stop <= stops; stop++) {
		const x = x0 + ((x1 - x0) * stop) / stops, y = y0 + ((y1 - y0) * stop) / stops;
		for (let row = Math.max(0, Math.floor(y - radius)); row < Math.min(height, y + radius + 1); row++)
			for (let column = Math.max(0, Math.floor(x - radius)); column < Math.min(width, x + radius + 1); column++)
				if (Math.hypot(column + 0.5 - x, row + 0.5 - y) <= Math.max(radius, 0.71)) values[row * width + column] = chosen();
	}
	stroke = to;
	paint();
}

canvas.addEventListener("pointerdown", (event) => {
	if (event.button !== 0) return;
	canvas.setPointerCapture(event.pointerId);
	remember();
	stroke = place(event);
	draw(stroke);
});
canvas.addEventListener("pointermove", (event) => stroke && draw(place(event)));
for (const end of ["pointerup", "pointercancel"])
	canvas.addEventListener(end, () => {
		if (stroke) tell();
		stroke = null;
	});
element.querySelector(".fill").addEventListener("click", () => {
	remember();
	values.fill(chosen());
	paint();
	tell();
});
element.querySelector(".undo").addEventListener("click", () => {
	if (!undone.length) return;
	values = undone.pop();
	paint();
	tell();
});
function shown() {
	element.querySelector(".grey-value").textContent = Number(grey.value).toFixed(2);
	element.querySelector(".size-value").textContent = size.value;
	element.querySelector(".swatch").style.background = `rgb(${Array(3).fill(Math.round(255 * grey.value))})`;
}
for (const slider of [grey, size]) slider.addEventListener("input", shown);
watch("value", read);
read();
