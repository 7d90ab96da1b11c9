"""Makes the two fonts of the PDF from those of Debian's package fonts-inter (needs fonttools).

    python3 subset.py /usr/share/fonts/opentype/inter .

Latin, Greek, Cyrillic and the signs that reports use are kept; figures are those of equal width.
"""
import sys
from fontTools import subset
from fontTools.ttLib import TTFont

RANGES = [(0x20, 0x7E), (0xA0, 0x17F), (0x218, 0x21B), (0x386, 0x3CE), (0x400, 0x45F),
          (0x490, 0x491), (0x1E80, 0x1E85), (0x1E9E, 0x1E9E), (0x2010, 0x2027), (0x202F, 0x203A)]
SIGNS = [0xFFFD, 0x20AC, 0x2116, 0x2122, 0x2190, 0x2191, 0x2192, 0x2193, 0x2212, 0x2248, 0x2260,
         0x2264, 0x2265, 0x25A1, 0x25CF, 0x2713, 0x2717]

source, target = sys.argv[1:]
for weight in ["Regular", "SemiBold"]:
    font = TTFont(f"{source}/Inter-{weight}.otf")
    lookups = font["GSUB"].table.LookupList.Lookup
    features = [f.Feature for f in font["GSUB"].table.FeatureList.FeatureRecord if f.FeatureTag == "tnum"]
    equal = {}
    for number in sorted({n for f in features for n in f.LookupListIndex}):
        for table in lookups[number].SubTable:
            equal.update(getattr(table, "ExtSubTable", table).mapping)
    for table in font["cmap"].tables:
        for code in list(range(0x30, 0x3A)):
            if code in table.cmap:
                table.cmap[code] = equal.get(table.cmap[code], table.cmap[code])
    options = subset.Options(layout_features=[], hinting=False, desubroutinize=True, name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14])
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[c for low, high in RANGES for c in range(low, high + 1)] + SIGNS)
    subsetter.subset(font)
    font["head"].modified = font["head"].created
    font.save(f"{target}/Inter-{weight}.otf")
