"""The viewer: series in the browser, before and after a reduction; nothing leaves the machine.

Public: `serve.serve`. The page that the browser shows is in `page/`, its source in `frontend/`.
"""
