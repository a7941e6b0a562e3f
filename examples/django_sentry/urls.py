"""The service itself: two pages."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path


def sell(request: HttpRequest) -> HttpResponse:
    return HttpResponse("sold\n")


def break_down(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("out of stock")


urlpatterns = [path("", sell), path("broken", break_down)]
