"""Apple Health's export.xml: a document type, ExportDate, Me, then Records with their own offset.

Element and attribute names as in the samples; the internal document type is shortened from what phones write (from
memory). Sleep is a category record, insulin a quantity in IU with its delivery reason, a cuff reading two records.
"""

from __future__ import annotations

from datetime import datetime
from xml.sax.saxutils import quoteattr
from zoneinfo import ZoneInfo

from medtwin.worlds.facts import Fact, Person

TYPES = {  # quantity -> type, unit
    "heart_rate": ("HKQuantityTypeIdentifierHeartRate", "count/min"),
    "step_count": ("HKQuantityTypeIdentifierStepCount", "count"),
    "body_weight": ("HKQuantityTypeIdentifierBodyMass", "kg"),
    "body_height": ("HKQuantityTypeIdentifierHeight", "cm"),
    "carbohydrate_intake": ("HKQuantityTypeIdentifierDietaryCarbohydrates", "g"),
    "insulin_bolus": ("HKQuantityTypeIdentifierInsulinDelivery", "IU"),
    "glucose": ("HKQuantityTypeIdentifierBloodGlucose", "mg/dL"),
    "systolic_pressure": ("HKQuantityTypeIdentifierBloodPressureSystolic", "mmHg"),
    "diastolic_pressure": ("HKQuantityTypeIdentifierBloodPressureDiastolic", "mmHg"),
}
NAMES = {"watch": "Synthetic Watch", "scale": "Synthetic Scale", "cuff": "Synthetic Cuff", "diary": "Synthetic Diary"}
HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE HealthData [
<!-- HealthKit Export Version: 11 -->
<!ELEMENT HealthData (ExportDate,Me,(Record|Workout|ActivitySummary)*)>
<!ATTLIST HealthData locale CDATA #REQUIRED>
<!ELEMENT ExportDate EMPTY>
<!ATTLIST ExportDate value CDATA #REQUIRED>
<!ELEMENT Me EMPTY>
<!ELEMENT Record (MetadataEntry)*>
<!ELEMENT MetadataEntry EMPTY>
]>
"""


def write(person: Person, facts: tuple[Fact, ...]) -> bytes:
    """The export of ``facts``; a mean pressure or a basal rate has no type there and is left out."""
    zone = ZoneInfo(person.zone)

    def at(moment: datetime) -> str:
        return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %z")

    sex = {"female": "HKBiologicalSexFemale", "male": "HKBiologicalSexMale"}[person.sex]
    lines = [
        HEAD + '<HealthData locale="en_DE">',
        f' <ExportDate value="{at(person.now)}"/>',
        f' <Me HKCharacteristicTypeIdentifierDateOfBirth="{person.birth_date.isoformat()}"'
        f' HKCharacteristicTypeIdentifierBiologicalSex="{sex}"'
        ' HKCharacteristicTypeIdentifierBloodType="HKBloodTypeNotSet"'
        ' HKCharacteristicTypeIdentifierFitzpatrickSkinType="HKFitzpatrickSkinTypeNotSet"/>',
    ]
    for fact in facts:
        source = quoteattr(NAMES.get(fact.source, f"Synthetic {fact.source}"))
        times = (
            f'creationDate="{at(fact.available)}" startDate="{at(fact.time)}"'
            f' endDate="{at(fact.until if fact.until is not None else fact.time)}"'
        )
        if fact.quantity == "sleep_duration":
            lines.append(
                f' <Record type="HKCategoryTypeIdentifierSleepAnalysis" sourceName={source} sourceVersion="1.0" {times}'
                ' value="HKCategoryValueSleepAnalysisAsleepUnspecified"/>'
            )
        elif fact.quantity in TYPES:
            kind, unit = TYPES[fact.quantity]
            start = f' <Record type="{kind}" sourceName={source} sourceVersion="1.0" unit="{unit}" {times}'
            if fact.quantity == "insulin_bolus":
                reason = '  <MetadataEntry key="HKInsulinDeliveryReason" value="2"/>'
                lines += [f'{start} value="{fact.value:g}">', reason, " </Record>"]
            else:
                lines.append(f'{start} value="{fact.value:g}"/>')
    return ("\n".join([*lines, "</HealthData>"]) + "\n").encode()
