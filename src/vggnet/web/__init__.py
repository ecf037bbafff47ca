"""The explorer: a page that shows networks at work, and the server beneath it (`vggnet serve`).

In: HTTP requests. Out: JSON, drawings and the page's own files. What can be asked for stands in
`endpoints`; each answer comes from the functions of the package, and what one of them is asked for
more than once, or at the same time by many, is bounded here. Needs the extra `web`.
"""
