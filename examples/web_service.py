"""Classify over HTTP: python examples/web_service.py int8.tflite 8000

    curl --data-binary @photo.jpg http://127.0.0.1:8000/classify

It listens on this machine alone: put a proxy with TLS and a password before it for others. Needs
`pip install 'edgeclf[web]'`.
"""

import argparse
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from edgeclf import Classifier, EdgeclfError, Prediction, decode_image

MAX_BYTES = 20_000_000


def service(model: str) -> Starlette:
    """Return an application whose requests share one classifier: it is safe between threads."""
    classifier = Classifier(model)

    def answer(data: bytes) -> Prediction:
        return classifier.classify(decode_image(data, name="the upload"), threshold=0.5)

    async def classify(request: Request) -> JSONResponse:
        data = b""
        async for part in request.stream():
            data += part
            if len(data) > MAX_BYTES:
                return JSONResponse({"error": f"more than {MAX_BYTES} bytes"}, status_code=413)
        try:
            prediction = await run_in_threadpool(answer, data)
        except EdgeclfError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return JSONResponse(
            {"label": prediction.label, "score": prediction.score, "top": prediction.top}
        )

    return Starlette(routes=[Route("/classify", classify, methods=["POST"])])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("port", type=int)
    arguments = parser.parse_args()
    try:
        uvicorn.run(service(arguments.model), host="127.0.0.1", port=arguments.port)
    except EdgeclfError as error:
        sys.exit(f"Error: {error}")
