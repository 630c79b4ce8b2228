"""Pressures, flows and volumes of the heart and the great vessels: those of an instant and those of a whole beat.

Ranges bound what has been seen in living people, sick ones included. Errors are of the usual way of measuring:
catheters (fluid filled, 2 mm[Hg]), thermodilution (10 %), echocardiography (volumes 10 %, ejection fraction 5 points).
"""

from medtwin.quantities.quantity import Quantity

QUANTITIES = (
    Quantity(name="arterial_pressure", meaning="Arterial pressure at an instant", unit="mm[Hg]", low=0, high=350,
             error_sd=2.0, source="arterial line; SNOMED CT and LOINC name its extremes, not the instant"),
    Quantity(name="left_ventricular_pressure", meaning="Pressure in the left ventricle at an instant", unit="mm[Hg]",
             low=-30, high=400, error_sd=2.0, snomed=("276769008",), source="SNOMED CT 276769008; catheter"),
    Quantity(name="pulmonary_artery_pressure", meaning="Pulmonary artery pressure at an instant", unit="mm[Hg]",
             low=0, high=200, error_sd=2.0, loinc=("76284-9",), snomed=("250767002",),
             source="LOINC 76284-9; catheter"),
    Quantity(name="left_ventricular_volume", meaning="Blood in the left ventricle at an instant", unit="mL", low=1,
             high=800, error_cv=0.1, source="echocardiography"),
    Quantity(name="aortic_flow", meaning="Flow through the aortic valve at an instant", unit="mL/s", low=-300,
             high=3000, error_cv=0.1, source="phase-contrast imaging"),
    Quantity(name="stroke_volume", meaning="Blood that the left ventricle ejects in one beat", unit="mL", low=3,
             high=300, error_cv=0.1, loinc=("20562-5", "8771-8"), snomed=("90096001",), source="LOINC 20562-5"),
    Quantity(name="cardiac_output", meaning="Blood that the left ventricle ejects in a minute", unit="L/min", low=0.3,
             high=45, error_cv=0.1, loinc=("8737-9",), source="LOINC 8737-9; thermodilution"),
    Quantity(name="left_ventricular_ejection_fraction", meaning="Share of its blood that the left ventricle ejects",
             unit="%", low=3, high=95, error_sd=5.0, loinc=("10230-1", "18043-0"), source="LOINC 10230-1; echo"),
    Quantity(name="left_ventricular_end_diastolic_volume", meaning="Greatest volume of the left ventricle in a beat",
             unit="mL", low=10, high=800, error_cv=0.1, loinc=("75988-6",), source="LOINC 75988-6; echo"),
    Quantity(name="left_ventricular_end_systolic_volume", meaning="Least volume of the left ventricle in a beat",
             unit="mL", low=1, high=700, error_cv=0.12, loinc=("75989-4",), source="LOINC 75989-4; echo"),
    Quantity(name="left_atrial_mean_pressure", meaning="Left atrial pressure, mean of a beat", unit="mm[Hg]", low=-5,
             high=80, error_sd=2.0, loinc=("8399-8",), source="LOINC 8399-8; catheter"),
    Quantity(name="right_atrial_mean_pressure", meaning="Right atrial pressure, mean of a beat", unit="mm[Hg]",
             low=-8, high=50, error_sd=1.5, loinc=("8400-4",), snomed=("276775004",), source="LOINC 8400-4; catheter"),
    Quantity(name="pulmonary_artery_systolic_pressure", meaning="Greatest pulmonary artery pressure in a beat",
             unit="mm[Hg]", low=3, high=180, error_sd=4.0, loinc=("8440-0",), snomed=("250768007",),
             source="LOINC 8440-0; catheter"),
    Quantity(name="pulmonary_artery_diastolic_pressure", meaning="Least pulmonary artery pressure in a beat",
             unit="mm[Hg]", low=0, high=120, error_sd=3.0, loinc=("8385-7",), snomed=("250769004",),
             source="LOINC 8385-7; catheter"),
    Quantity(name="pulmonary_artery_mean_pressure", meaning="Pulmonary artery pressure, mean of a beat",
             unit="mm[Hg]", low=1, high=140, error_sd=3.0, loinc=("8414-5",), snomed=("250770003",),
             source="LOINC 8414-5; catheter"),
)  # fmt: skip
