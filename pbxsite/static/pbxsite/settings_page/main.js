// The page works without these scripts: they only tell before saving what will change,
// fold what the chosen authentication type does not need, and run the page's tests.

import { watchChanges } from "./changes.js";
import { fillByButtons, followSecurity, showOffers, showWarnings } from "./fields.js";
import { foldByType, openLinkedFields } from "./folds.js";
import { leaveThisMachine } from "./leaving.js";
import { askForPasswordInTime } from "./own_password.js";
import { followChoices, offerRestoring } from "./restoring.js";
import { offerLogins } from "./smtp_login.js";
import { offerTrials } from "./trials.js";

foldByType();
openLinkedFields();
leaveThisMachine();
followSecurity();
showWarnings();
showOffers();
fillByButtons();
askForPasswordInTime();
offerRestoring();
followChoices();
watchChanges();
offerTrials();
offerLogins();
document.getElementById("faults")?.focus();
