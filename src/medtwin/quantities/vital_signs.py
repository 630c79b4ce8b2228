"""Vital signs and body measures.

Ranges bound what has been seen in living people (Guinness-like extremes excluded are stored with a flag); errors are of
usual devices: automated cuffs ISO 81060-2 (mean error 5 mmHg, sd 8 mmHg), optical heart rate, bathroom scales.
"""

from medtwin.quantities.quantity import Quantity

QUANTITIES = (
    Quantity(name="heart_rate", meaning="Heart rate", unit="/min", low=15, high=300, error_sd=3.0,
             loinc=("8867-4", "8893-0", "76282-3"), snomed=("364075005",), source="LOINC 8867-4; wrist optical error"),
    Quantity(name="resting_heart_rate", meaning="Heart rate at rest", unit="/min", low=15, high=200, error_sd=3.0,
             loinc=("40443-4",), source="LOINC 40443-4"),
    Quantity(name="systolic_pressure", meaning="Systolic arterial pressure", unit="mm[Hg]", low=30, high=320,
             error_sd=8.0, loinc=("8480-6", "8459-0", "8460-8", "8461-6", "76534-7"), snomed=("271649006",),
             source="ISO 81060-2"),
    Quantity(name="diastolic_pressure", meaning="Diastolic arterial pressure", unit="mm[Hg]", low=10, high=220,
             error_sd=8.0, loinc=("8462-4", "8453-3", "8454-1", "8455-8", "76535-4"), snomed=("271650006",),
             source="ISO 81060-2"),
    Quantity(name="mean_arterial_pressure", meaning="Mean arterial pressure", unit="mm[Hg]", low=15, high=250,
             error_sd=5.0, loinc=("8478-0", "76214-6"), snomed=("6797001",), source="LOINC 8478-0"),
    Quantity(name="respiratory_rate", meaning="Respiratory rate", unit="/min", low=2, high=100, error_sd=2.0,
             loinc=("9279-1",), snomed=("86290005",), source="LOINC 9279-1"),
    Quantity(name="oxygen_saturation", meaning="Arterial oxygen saturation", unit="%", low=20, high=100, error_sd=2.0,
             loinc=("2708-6", "59408-5"), snomed=("431314004",), source="ISO 80601-2-61"),
    Quantity(name="body_temperature", meaning="Body temperature", unit="Cel", low=20, high=46, error_sd=0.2,
             loinc=("8310-5", "8331-1", "8329-5", "8332-9", "60830-9", "60834-1"), snomed=("386725007",),
             display=(("en-US", "[degF]"),), source="LOINC 8310-5"),
    Quantity(name="body_weight", meaning="Body weight", unit="kg", low=0.2, high=650, error_sd=0.3,
             loinc=("29463-7", "3141-9", "8335-2"), snomed=("27113001",), display=(("en-US", "[lb_av]"),),
             source="LOINC 29463-7; bathroom scale"),
    Quantity(name="body_height", meaning="Body height", unit="cm", low=20, high=275, error_sd=1.0,
             loinc=("8302-2", "8301-4"), snomed=("50373000",), display=(("en-US", "[in_i]"),), source="LOINC 8302-2"),
    Quantity(name="body_mass_index", meaning="Body mass index", unit="kg/m2", low=5, high=200, error_cv=0.02,
             loinc=("39156-5",), snomed=("60621009",), source="LOINC 39156-5"),
    Quantity(name="body_fat_fraction", meaning="Share of body mass that is fat", unit="%", low=1, high=85, error_sd=3.0,
             loinc=("41982-0",), source="LOINC 41982-0; bioimpedance"),
    Quantity(name="age", meaning="Age", unit="a", low=0, high=125, loinc=("30525-0",), source="LOINC 30525-0"),
    Quantity(name="waist_circumference", meaning="Waist circumference", unit="cm", low=20, high=300, error_sd=2.0,
             loinc=("8280-0", "56086-2"), source="LOINC 8280-0"),
)  # fmt: skip
