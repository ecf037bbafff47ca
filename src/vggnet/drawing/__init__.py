"""Pictures of networks and of what they compute: SVG, PNG and HTML.

In: layers, arrays and plain values. Out: text and Pillow pictures. Stands below all that draws, so
that a Spec can show itself in a notebook; Pillow and NumPy are loaded by what needs them.
"""
