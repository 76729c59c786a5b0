"""Terms of the tables in a Darwin Core archive, and the archive's description.

Sources: https://dwc.tdwg.org/terms/, https://ac.tdwg.org/termlist/ and https://dwc.tdwg.org/text/.
"""

from collections.abc import Mapping
from xml.etree import ElementTree

_DWC = "http://rs.tdwg.org/dwc/terms/"
_DC = "http://purl.org/dc/terms/"
_AC = "http://rs.tdwg.org/ac/terms/"

# Column: term, where its name is not the column's in Darwin Core's own namespace.
OCCURRENCE: Mapping[str, str] = {
    "type": f"{_DC}type",
    "license": f"{_DC}license",
    "rightsHolder": f"{_DC}rightsHolder",
    **{
        name: f"{_DWC}{name}"
        for name in (
            "datasetID",
            "collectionCode",
            "datasetName",
            "basisOfRecord",
            "dataGeneralizations",
            "occurrenceID",
            "individualCount",
            "sex",
            "lifeStage",
            "behavior",
            "occurrenceStatus",
            "occurrenceRemarks",
            "organismID",
            "eventID",
            "parentEventID",
            "eventDate",
            "habitat",
            "samplingProtocol",
            "samplingEffort",
            "eventRemarks",
            "locationID",
            "locality",
            "minimumDepthInMeters",
            "maximumDepthInMeters",
            "minimumDistanceAboveSurfaceInMeters",
            "maximumDistanceAboveSurfaceInMeters",
            "decimalLatitude",
            "decimalLongitude",
            "geodeticDatum",
            "coordinateUncertaintyInMeters",
            "coordinatePrecision",
            "identifiedBy",
            "dateIdentified",
            "identificationVerificationStatus",
            "identificationRemarks",
            "taxonID",
            "scientificName",
            "kingdom",
        )
    },
}
MULTIMEDIA: Mapping[str, str] = {
    "occurrenceID": f"{_DWC}occurrenceID",
    "identifier": f"{_DC}identifier",
    "dc:type": "http://purl.org/dc/elements/1.1/type",
    "comments": f"{_AC}comments",
    "dcterms:rights": f"{_DC}rights",
    "CreateDate": "http://ns.adobe.com/xap/1.0/CreateDate",
    "captureDevice": f"{_AC}captureDevice",
    "resourceCreationTechnique": f"{_AC}resourceCreationTechnique",
    "accessURI": f"{_AC}accessURI",
    "dc:format": f"{_DC}format",
    "serviceExpectation": f"{_AC}serviceExpectation",
}
# Values of ``featureType`` in Camtrap DP 1.0.2, in words.
FEATURES = {
    "roadPaved": "paved road",
    "roadDirt": "dirt road",
    "trailHiking": "hiking trail",
    "trailGame": "game trail",
    "roadUnderpass": "road underpass",
    "roadOverpass": "road overpass",
    "roadBridge": "road bridge",
    "nestSite": "nest site",
    "waterSource": "water source",
    "fruitingTree": "fruiting tree",
}


def archive_description() -> str:
    """Return meta.xml, which names the files of the archive and the term of each column."""
    archive = ElementTree.Element("archive", xmlns="http://rs.tdwg.org/dwc/text/")
    _add_table(
        archive, "core", "occurrence.csv", f"{_DWC}Occurrence", OCCURRENCE, list(OCCURRENCE).index("occurrenceID")
    )
    _add_table(archive, "extension", "multimedia.csv", f"{_AC}Multimedia", MULTIMEDIA, 0)
    ElementTree.indent(archive)
    return ElementTree.tostring(archive, encoding="unicode") + "\n"


def _add_table(
    archive: ElementTree.Element, role: str, file: str, row_type: str, columns: Mapping[str, str], identifier: int
) -> None:
    table = ElementTree.SubElement(
        archive,
        role,
        encoding="UTF-8",
        fieldsTerminatedBy=",",
        linesTerminatedBy="\\n",
        fieldsEnclosedBy='"',
        ignoreHeaderLines="1",
        rowType=row_type,
    )
    ElementTree.SubElement(ElementTree.SubElement(table, "files"), "location").text = file
    ElementTree.SubElement(table, "id" if role == "core" else "coreid", index=str(identifier))
    for index, term in enumerate(columns.values()):
        ElementTree.SubElement(table, "field", index=str(index), term=term)
