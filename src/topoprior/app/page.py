"""The layout of the page: which fields there are, and which function answers when one changes."""

from __future__ import annotations

from dataclasses import fields as fields_of
from importlib.resources import files
from typing import Any, TypeAlias

from topoprior.app import views
from topoprior.app.sources import EXAMPLES, LARGEST_SIDE
from topoprior.app.trial import MOST_STEPS
from topoprior.app.wish import AMOUNTS, ANY, BETWEEN, EXACTLY

_Parts: TypeAlias = dict[str, Any]
_FIRST = next(iter(EXAMPLES))
_STALE = "<p class=caption>Press Refine to change the map as little as it takes.</p>"


def page() -> Any:
    """The page as gradio's ``Blocks``, which `topoprior.app.server` serves.

    Raises:
        ImportError: If gradio is missing.
    """
    try:
        import gradio as gr
    except ImportError as error:
        raise ImportError("the page needs gradio: pip install 'topoprior[app]'") from error
    with gr.Blocks(title="topoprior", analytics_enabled=False) as blocks:
        gr.HTML("<h1>topoprior</h1><p>Which topology does a segmentation have, and which should it have?</p>")
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                source = _source(gr)
                wish = _wish(gr)
            with gr.Column(scale=3, min_width=320):
                shown = _shown(gr)
                trial = _trial(gr)
        _connect(gr, source, wish, shown, trial)
    return blocks


def asset(name: str) -> str:
    """The text of a file beside this one."""
    return files("topoprior.app").joinpath(name).read_text(encoding="utf-8")


def _source(gr: Any) -> _Parts:
    """Where the map comes from: an example, a file, the brush; then blur and noise."""
    gr.HTML("<h2>1 The map</h2><p>Each pixel's probability of being inside: white is 1, black is 0. Draw on it.</p>")
    example = gr.Dropdown(list(EXAMPLES), value=_FIRST, label="Begin with", elem_id="example")
    drawing = gr.HTML(
        views.example(_FIRST).drawing,
        html_template=asset("canvas.html"),
        js_on_load=asset("canvas.js"),
        elem_id="drawing",
        apply_default_css=False,
    )
    with gr.Accordion("Load your own", open=False):
        upload = gr.UploadButton("PNG, NPY or NIfTI", elem_id="upload", size="sm")
        logits = gr.Checkbox(False, label="The values are logits", info="They go through the sigmoid first.")
        with gr.Row(visible=False) as stack:
            axis = gr.Radio([0, 1, 2], value=2, label="Slices along axis")
            index = gr.Slider(0, 1, 0, step=1, label="Slice", elem_id="slice")
        gr.HTML(
            f"<p class='caption'>Maps of more than {LARGEST_SIDE} pixels per side are averaged down to that.</p>",
            elem_classes="topo",
        )
    note = gr.HTML("", elem_id="note", elem_classes="topo")
    with gr.Row():
        blur = gr.Slider(0, 5, 0, step=0.25, label="Blur", info="Gaussian; pixels.", min_width=140)
        noise = gr.Slider(0, 0.4, 0, step=0.01, label="Noise", info="Gaussian; probability.", min_width=140)
    return {"example": example, "drawing": drawing, "blur": blur, "noise": noise, "note": note} | {
        "upload": upload,
        "logits": logits,
        "stack": stack,
        "axis": axis,
        "index": index,
    }


def _wish(gr: Any) -> _Parts:
    """What is wanted, and how it is counted."""
    gr.HTML("<h2>2 What is known</h2><p>How many pieces and how many holes the object really has.</p>")
    amounts: dict[str, Any] = {}
    for name, label in (("components", "Components"), ("loops", "Loops")):
        with gr.Row():
            kind = gr.Dropdown(list(AMOUNTS), value=EXACTLY, label=label, elem_id=name, min_width=130)
            fewest = gr.Number(1, precision=0, minimum=0, label="Number", elem_id=f"fewest-{name}", min_width=80)
            most = gr.Number(
                2, precision=0, minimum=0, label="and", visible=False, elem_id=f"most-{name}", min_width=80
            )
        amounts |= {name: kind, f"fewest_{name}": fewest, f"most_{name}": most}
    with gr.Accordion("How it is counted", open=False):
        construction = gr.Radio(
            [("T: at corners too", "T"), ("V: at sides only", "V")],
            value="T",
            label="Pixels touch",
            info="Decides whether a diagonal line of pixels is one piece.",
        )
        boundary = gr.Radio(
            [("background", "background"), ("foreground", "foreground")],
            value="background",
            label="Outside the image lies",
            info="Foreground joins all that the frame cuts, and closes its loops.",
        )
        threshold = gr.Slider(
            0.1, 0.9, 0.5, step=0.05, label="Threshold", info="The mask is where the map is at least this."
        )
    return {**amounts, "construction": construction, "boundary": boundary, "threshold": threshold}


def _shown(gr: Any) -> _Parts:
    """What the map has."""
    gr.HTML("<h2>3 What the map has</h2>")
    verdict = gr.HTML(elem_id="verdict", elem_classes="topo", apply_default_css=False)
    level = gr.Slider(
        0.01,
        1,
        0.5,
        step=0.01,
        label="Level",
        elem_id="level",
        info="Lower it from 1 to 0 and watch the pieces and the loops come and go.",
    )
    picture = gr.HTML(elem_id="map", elem_classes="topo", apply_default_css=False)
    bars = gr.HTML(elem_id="bars", elem_classes="topo", apply_default_css=False)
    return {"verdict": verdict, "map": picture, "bars": bars, "level": level}


def _trial(gr: Any) -> _Parts:
    """The refinement."""
    gr.HTML("<h2>4 Refine</h2>")
    with gr.Row():
        weight = gr.Number(0.1, minimum=0, label="Weight", info="More gives more to topology.", min_width=120)
        steps = gr.Number(
            500,
            precision=0,
            minimum=0,
            maximum=MOST_STEPS,
            label="Most steps",
            info="It stops when it can.",
            min_width=120,
        )
    guarantee = gr.Checkbox(False, label="Guarantee", info="Edit what the steps leave wrong.", elem_id="guarantee")
    refine = gr.Button("Refine", variant="primary", elem_id="refine")
    result = gr.HTML(_STALE, elem_id="result", elem_classes="topo", apply_default_css=False)
    recipe = gr.HTML("", elem_id="recipe", elem_classes="topo", apply_default_css=False)
    return {"weight": weight, "max_steps": steps, "guarantee": guarantee} | {
        "refine": refine,
        "result": result,
        "recipe": recipe,
    }


def _connect(
    gr: Any, source: dict[str, Any], wish: dict[str, Any], shown: dict[str, Any], trial: dict[str, Any]
) -> None:
    """Which function answers which field."""

    def update(*values: Any) -> tuple[str, str, str]:
        now = views.show(views.Fields(*values))
        return now.verdict, now.map, now.bars

    known = source | wish | {"level": shown["level"]}
    asked = [known[field.name] for field in fields_of(views.Fields)]
    panels = [shown["verdict"], shown["map"], shown["bars"]]
    for panel, content in zip(panels, update(*(part.value for part in asked)), strict=True):
        panel.value = content
    results = [trial["result"], trial["recipe"]]
    quiet = {"show_progress": "hidden", "api_visibility": "private"}

    def run(weight: float | None, steps: float | None, guarantee: bool, *values: Any) -> tuple[str, str]:
        return views.attempt(views.Fields(*values), weight=weight, max_steps=steps, guarantee=guarantee)

    def begin(name: str) -> tuple[Any, ...]:
        return _sourced(gr, views.example(name), name)

    def open_file(path: str | None, axis: int, index: float | None, logits: bool) -> tuple[Any, ...]:
        if path is None:
            return _sourced(gr, views.Source(None))
        return _sourced(gr, views.upload(path, axis=axis, index=index, logits=logits))

    def whole(path: str | None, axis: int, logits: bool) -> tuple[Any, ...]:
        return open_file(path, axis, None, logits)

    # In the browser, so that it can never come after the answer to a click on Refine.
    stale = {"fn": None, "js": f"() => [{_STALE!r}, '']", "outputs": results, **quiet}

    def follow(event: Any) -> None:
        event.then(update, asked, panels, **quiet)
        event.then(**stale)

    chosen = [source["drawing"], source["note"], source["stack"], source["index"], source["example"]]
    follow(source["example"].input(begin, source["example"], chosen, **quiet))
    stack = [source["upload"], source["axis"], source["index"], source["logits"]]
    for event in (source["upload"].upload, source["axis"].input, source["logits"].input):
        follow(event(whole, [stack[0], stack[1], stack[3]], chosen, **quiet))
    follow(source["index"].input(open_file, stack, chosen, trigger_mode="always_last", **quiet))
    for name in ("components", "loops"):
        wish[name].input(
            lambda amount: (gr.update(visible=amount != ANY), gr.update(visible=amount == BETWEEN)),
            wish[name],
            [wish[f"fewest_{name}"], wish[f"most_{name}"]],
            **quiet,
        )
    moved = {field.name: known[field.name].input for field in fields_of(views.Fields)}
    gr.on(list(moved.values()), update, asked, panels, trigger_mode="always_last", **quiet)
    gr.on([event for name, event in moved.items() if name != "level"], **stale)
    method = [trial["weight"], trial["max_steps"], trial["guarantee"]]
    trial["refine"].click(run, [*method, *asked], results, api_visibility="private")


def _sourced(gr: Any, source: views.Source, example: str | None = None) -> tuple[Any, ...]:
    """What a new map does to the canvas, the note, the choice of slices and that of examples."""
    if source.drawing is None:
        return gr.skip(), source.note, gr.skip(), gr.skip(), gr.skip()
    many = source.slices > 1
    index = gr.update(maximum=source.slices - 1, value=source.index) if many else gr.skip()
    return source.drawing, source.note, gr.update(visible=source.slices > 0), index, example
